/* old_kernel -- COMMAND ARGS...: runs a command on what looks like Linux 5.15: Landlock has ABI 1, and every system call that is newer is
   not there.

   A seccomp filter answers most of it. What lies behind pointers (the sizes and bits of a Landlock ruleset), and the ABI, which is an
   answer other than an error, are for this process: it serves the filter's listener as long as the command runs. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEWEST_OF_5_15 448          /* process_mrelease(2) on x86-64 */
#define X32 0x40000000
#define ABI 1
#define RIGHTS_OF_ABI_1 0x1fffULL   /* LANDLOCK_ACCESS_FS_EXECUTE to LANDLOCK_ACCESS_FS_MAKE_SYM */
#define RULE_PATH_BENEATH 1
#define MEMFD_OF_6_3 0x18           /* MFD_NOEXEC_SEAL, MFD_EXEC */

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define LOW(argument) (offsetof(struct seccomp_data, args) + 8 * (argument))
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define REFUSE(error) RETURN(SECCOMP_RET_ERRNO | (error))
#define ALLOW RETURN(SECCOMP_RET_ALLOW)
#define JUMP(test, value, yes, no) BPF_JUMP(BPF_JMP | (test) | BPF_K, (value), (yes), (no))

static struct sock_filter filter[] = {
    LOAD(offsetof(struct seccomp_data, arch)),
    JUMP(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0),
    ALLOW,
    LOAD(offsetof(struct seccomp_data, nr)),
    JUMP(BPF_JGE, X32, 2, 0),
    JUMP(BPF_JGT, NEWEST_OF_5_15, 0, 1),
    REFUSE(ENOSYS),
    JUMP(BPF_JEQ, SYS_landlock_create_ruleset, 0, 1),
    RETURN(SECCOMP_RET_USER_NOTIF),
    /* Rules for ports came with ABI 4. */
    JUMP(BPF_JEQ, SYS_landlock_add_rule, 0, 4),
    LOAD(LOW(1)),
    JUMP(BPF_JEQ, RULE_PATH_BENEATH, 0, 1),
    ALLOW,
    REFUSE(EINVAL),
    /* It had no flags before ABI 7. */
    JUMP(BPF_JEQ, SYS_landlock_restrict_self, 0, 4),
    LOAD(LOW(1)),
    JUMP(BPF_JEQ, 0, 0, 1),
    ALLOW,
    REFUSE(EINVAL),
    JUMP(BPF_JEQ, SYS_memfd_create, 0, 3),
    LOAD(LOW(1)),
    JUMP(BPF_JSET, MEMFD_OF_6_3, 0, 1),
    REFUSE(EINVAL),
    ALLOW,
};

/* What landlock_create_ruleset(2) of Linux 5.15 makes of a ruleset that is longer or asks for more than it knows; 0: nothing wrong. */
static int judge(pid_t pid, uint64_t address, uint64_t size) {
    uint64_t words[8] = {0};
    struct iovec here = {words, size < sizeof(words) ? size : sizeof(words)};
    struct iovec there = {(void *)(uintptr_t)address, here.iov_len};

    if (process_vm_readv(pid, &here, 1, &there, 1, 0) < 0) {
        return 0; /* The kernel will say the same. */
    }
    for (size_t at = 1; at < LENGTH(words); at++) {
        if (words[at] != 0) {
            return E2BIG;
        }
    }
    return words[0] & ~RIGHTS_OF_ABI_1 ? EINVAL : 0;
}

static void answer(int listener) {
    struct seccomp_notif asked;
    struct seccomp_notif_resp reply = {0};

    memset(&asked, 0, sizeof(asked));
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) {
        return; /* It was killed while it asked. */
    }
    const __u64 *args = asked.data.args;
    reply.id = asked.id;
    if ((uint32_t)args[2] != 0) {
        /* LANDLOCK_CREATE_RULESET_VERSION with nothing else; every other flag came later. */
        if ((uint32_t)args[2] == 1 && args[0] == 0 && args[1] == 0) {
            reply.val = ABI;
        } else {
            reply.error = -EINVAL;
        }
    } else {
        reply.error = -judge((pid_t)asked.pid, args[0], args[1]);
        reply.flags = reply.error == 0 ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
    }
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
}

/* Until the command ends: its end is the end of this. */
static int serve(pid_t command, int pidfd, int listener) {
    struct pollfd sources[2] = {{.fd = listener, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
    int status;

    for (;;) {
        if (poll(sources, 2, -1) < 0 && errno != EINTR) {
            perror("poll");
            return 1;
        }
        if (sources[0].revents & POLLIN) {
            answer(listener);
        } else if (sources[1].revents & POLLIN) {
            break;
        }
        if (sources[0].revents & (POLLHUP | POLLERR)) {
            sources[0].fd = -1;
        }
    }
    waitpid(command, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv) {
    struct sock_fprog program = {.len = LENGTH(filter), .filter = filter};
    int channel[2];
    int listener = -1;

    if (argc < 3 || strcmp(argv[1], "--") != 0 || pipe(channel) != 0) {
        fprintf(stderr, "usage: old_kernel -- COMMAND ARGS...\n");
        return 1;
    }
    /* With one table of descriptors the listener is the parent's too; exec gives the child one of its own, and closes it there. */
    pid_t child = (pid_t)syscall(SYS_clone, (long)(CLONE_FILES | SIGCHLD), 0L, 0L, 0L, 0L);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* Root needs no no_new_privs for a filter, and with it the commands below would not be what they are without. */
        listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
        if (listener < 0) {
            perror("seccomp");
        }
        if (write(channel[1], &listener, sizeof(listener)) < 0 || listener < 0 || unshare(CLONE_FILES) != 0) {
            _exit(1);
        }
        close(channel[0]);
        close(channel[1]);
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (child < 0 || read(channel[0], &listener, sizeof(listener)) != sizeof(listener) || listener < 0) {
        return 1;
    }
    int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    return pidfd < 0 ? 1 : serve(child, pidfd, listener);
}
