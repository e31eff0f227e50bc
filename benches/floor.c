/* The least that a start behind the same walls costs, in C: a cgroup made, entered and removed; mount, pid and ipc namespaces; a procfs;
 * a Landlock domain over the paths that exec2 grants by default; no_new_privs; another uid. No check that a launcher would need, no
 * message, no supervisor, no record. usage: floor PROGRAM */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Landlock's bits, of which old headers lack the last: READ_FILE is 2, READ_DIR 3, EXECUTE 0, WRITE_FILE 1, TRUNCATE 14. */
enum { X = 1 << 0, W = 1 << 1 | 1 << 14, R = 1 << 2, D = 1 << 3, ALL = (1 << 15) - 1 };
static const struct { const char *path; uint64_t access; } RULES[] = {
    {"/dev/null", R | W}, {"/lib", R | D | X}, {"/lib64", R | D | X}, {"/usr/lib", R | D | X}, {"/usr/lib64", R | D | X},
    {"/usr/libexec", R | D | X}, {"/usr/local/lib", R | D | X}, {"/usr/local/lib64", R | D | X}, {"/etc/ld.so.conf", R},
    {"/etc/ld.so.cache", R}, {"/etc/ld.so.conf.d", R | D}, {"/dev/full", R | W}, {"/dev/zero", R}, {"/dev/urandom", R},
    {"/dev/random", R}, {"/usr/share/locale", R | D}, {"/usr/share/zoneinfo", R}, {"/usr/share/common-licenses", R},
    {"/proc", R}, {"/etc/hosts", R}, {"/etc/services", R}, {"/etc/protocols", R}, {"/etc/resolv.conf", R},
    {"/etc/ssl/certs", R | D}, {"/etc/pki/tls/certs", R | D}, {"/etc/ssl/ca-bundle.pem", R}, {"/etc/ssl/cert.pem", R},
    {"/bin", R | D | X}, {"/usr/bin", R | D | X}, {"/usr/local/bin", R | D | X}, {"/tmp", R | D | W}, {"/etc/passwd", R},
    {"/etc/group", R}, {"/etc/nsswitch.conf", R}, {"/etc/localtime", R}, {"/etc/mime.types", R}, {"/etc/alternatives", R | D},
    {"/usr/share/ca-certificates", R | D}, {"/usr/share/terminfo", R | D}, {"/usr/sbin", R | D | X},
};
/* The hierarchies of a v1 or hybrid host; on v2 there is one. */
static const char *const HIERARCHIES[] = {"unified", "blkio", "cpu", "cpuacct", "devices", "freezer", "memory", "pids", "."};
enum { COUNT = sizeof HIERARCHIES / sizeof *HIERARCHIES };
static char cgroups[COUNT][128];
static int entries[COUNT], made, unified = -1;

static void must(int ok, const char *act) {
    if (!ok) {
        perror(act);
        _exit(125);
    }
}

static void make_cgroups(void) {
    for (int i = 0; i < COUNT; i++) {
        char path[160];
        snprintf(path, sizeof path, "/sys/fs/cgroup/%s/cgroup.procs", HIERARCHIES[i]);
        if (access(path, F_OK) != 0) continue;
        snprintf(cgroups[made], sizeof *cgroups, "/sys/fs/cgroup/%s/encamp-floor-%d", HIERARCHIES[i], getpid());
        must(mkdir(cgroups[made], 0755) == 0, cgroups[made]);
        /* v2 is entered by clone3. On v1 one thread moves without the lock that a write to cgroup.procs waits for (an RCU period). */
        snprintf(path, sizeof path, "%s/tasks", cgroups[made]);
        entries[made] = open(path, O_WRONLY | O_CLOEXEC);
        if (entries[made] < 0) unified = open(cgroups[made], O_PATH | O_CLOEXEC);
        must(entries[made] >= 0 || unified >= 0, path);
        made++;
    }
}

static int make_ruleset(void) {
    struct landlock_ruleset_attr attr = {.handled_access_fs = ALL};
    int ruleset = syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    must(ruleset >= 0, "landlock_create_ruleset");
    for (unsigned i = 0; i < sizeof RULES / sizeof *RULES; i++) {
        struct landlock_path_beneath_attr rule = {.parent_fd = open(RULES[i].path, O_PATH | O_CLOEXEC)};
        struct stat found;
        if (rule.parent_fd < 0) continue;
        must(fstat(rule.parent_fd, &found) == 0, RULES[i].path);
        rule.allowed_access = RULES[i].access & (S_ISDIR(found.st_mode) ? ALL : ~(uint64_t)D);
        must(syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0, RULES[i].path);
        close(rule.parent_fd);
    }
    return ruleset;
}

static void child(int ruleset, char **argv) {
    char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
    for (int i = 0; i < made; i++) must(entries[i] < 0 || write(entries[i], "0", 1) == 1, cgroups[i]);
    must(setsid() > 0, "setsid");
    must(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0, "slave");
    must(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0, "proc");
    must(setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0, "identity");
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
    must(syscall(SYS_landlock_restrict_self, ruleset, 0) == 0, "landlock_restrict_self");
    execve(argv[0], argv, environment);
    must(0, argv[0]);
}

int main(int argc, char **argv) {
    int status = 0, pidfd = -1;
    if (argc < 2) return 64;
    make_cgroups();
    int ruleset = make_ruleset();
    struct clone_args args = {
        .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_PIDFD | CLONE_VFORK | (unified >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD, .cgroup = unified,
    };
    long pid = syscall(SYS_clone3, &args, sizeof args);
    must(pid >= 0, "clone3");
    if (pid == 0) child(ruleset, argv + 1);
    must(waitpid(pid, &status, 0) == pid, "waitpid");
    /* A cgroup is busy for a moment after its last process was reaped. */
    for (int i = 0; i < made; i++)
        while (rmdir(cgroups[i]) != 0) must(errno == EBUSY, cgroups[i]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
