/* What a task may try that a safe program cannot: `tries [VERB ARGUMENT... [, VERB ARGUMENT...]...]`, one JSON line each, with "ok" and
 * "errno" like the probe's. Linked statically. Harmless where isolation is missing. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <time.h>
#include <unistd.h>

static char value[65536];

static int is(const char *verb, const char *name) { return strcmp(verb, name) == 0; }

static void add(const char *text)
{
	size_t used = strlen(value);
	snprintf(value + used, sizeof(value) - used, "%s ", text);
}

/* Keys of System V objects: any number; the objects are gone with the namespace, or by `ipc-remove`. */
static int ipc(const char *verb, int key)
{
	int flags = is(verb, "ipc-make") ? IPC_CREAT | 0666 : 0;
	int shm = shmget(key, flags ? 4096 : 0, flags), first = errno;
	int msg = msgget(key, flags), second = errno;
	int sem = semget(key, flags ? 1 : 0, flags), third = errno;
	if (is(verb, "ipc-remove")) {
		shmctl(shm, IPC_RMID, NULL);
		msgctl(msg, IPC_RMID, NULL);
		semctl(sem, 0, IPC_RMID);
	}
	/* All three or none: anything else shows in the value. */
	snprintf(value, sizeof(value), "%d%d%d", shm >= 0, msg >= 0, sem >= 0);
	errno = shm < 0 ? first : msg < 0 ? second : third;
	return shm < 0 || msg < 0 || sem < 0 ? -1 : 0;
}

static int queue(const char *verb, const char *name)
{
	if (is(verb, "mq-remove"))
		return mq_unlink(name);
	return mq_open(name, is(verb, "mq-make") ? O_RDWR | O_CREAT : O_RDWR, 0666, NULL) < 0 ? -1 : 0;
}

static void names(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			add(entry->d_name);
	if (directory)
		closedir(directory);
}

/* The classic way out of a chroot: a second one below, the working directory stays outside of it, and up. */
static int escape(const char *below)
{
	mkdir(below, 0755);
	if (chdir("/") || chroot(below))
		return -1;
	for (int step = 0; step < 64; step++)
		if (chdir(".."))
			return -1;
	names(".");
	return chroot(".");
}

/* The same with a descriptor of the old root kept open. */
static int escape_by_descriptor(const char *below)
{
	int root = open("/", O_PATH | O_DIRECTORY);
	mkdir(below, 0755);
	if (root < 0 || chroot(below) || fchdir(root))
		return -1;
	for (int step = 0; step < 64; step++)
		if (chdir(".."))
			return -1;
	names(".");
	return chroot(".");
}

static int file_system(const char *path)
{
	struct statfs found;
	if (statfs(path, &found))
		return -1;
	snprintf(value, sizeof(value), "%lx %llu %lx", (unsigned long)found.f_type,
		 (unsigned long long)found.f_blocks * found.f_bsize, (unsigned long)found.f_flags);
	return 0;
}

/* Whatever of others a process shows: descriptors that are no pipes, sockets or harmless nodes; whether it can be traced; its program. */
static int watch(const char *enough)
{
	time_t end = time(NULL) + 120;
	int seen = 0, traced = 0, opened = 0;
	char path[600], target[4096];
	while (access(enough, F_OK) && time(NULL) < end) {
		DIR *proc = opendir("/proc");
		struct dirent *entry;
		while (proc && (entry = readdir(proc))) {
			int pid = atoi(entry->d_name);
			if (pid <= 0 || pid == getpid())
				continue;
			seen++;
			snprintf(path, sizeof(path), "/proc/%d/exe", pid);
			ssize_t length = readlink(path, target, sizeof(target) - 1);
			int ours = length > 0;
			if (ours) {
				target[length] = 0;
				if (strstr(target, "memfd") || strstr(target, "encamp-shim"))
					opened++, ours = 0;
			}
			snprintf(path, sizeof(path), "/proc/%d/fd", pid);
			DIR *fds = opendir(path);
			struct dirent *fd;
			while (fds && (fd = readdir(fds))) {
				if (fd->d_name[0] == '.')
					continue;
				snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, fd->d_name);
				length = readlink(path, target, sizeof(target) - 1);
				if (length <= 0)
					continue;
				target[length] = 0;
				if (strncmp(target, "pipe:", 5) && strncmp(target, "/dev/", 5) && !strstr(value, target))
					add(target);
			}
			if (fds)
				closedir(fds);
			/* After the exec it is a process of the task's own, which may be traced. */
			if (ours || ptrace(PTRACE_SEIZE, pid, 0, 0) != 0)
				continue;
			snprintf(path, sizeof(path), "/proc/%d/exe", pid);
			length = readlink(path, target, sizeof(target) - 1);
			target[length > 0 ? length : 0] = 0;
			traced += strstr(target, "memfd") != NULL;
			ptrace(PTRACE_INTERRUPT, pid, 0, 0);
			waitpid(pid, NULL, __WALL);
			ptrace(PTRACE_DETACH, pid, 0, 0);
		}
		if (proc)
			closedir(proc);
	}
	char counts[64];
	snprintf(counts, sizeof(counts), "opened=%d traced=%d", opened, traced);
	add(counts);
	return seen ? 0 : -1;
}

static int attempt(int count, char **words)
{
	const char *verb = words[0], *one = count > 1 ? words[1] : "", *two = count > 2 ? words[2] : "";
	if (!strncmp(verb, "ipc-", 4))
		return ipc(verb, atoi(one));
	if (!strncmp(verb, "mq-", 3))
		return queue(verb, one);
	if (is(verb, "raw"))
		return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	if (is(verb, "packet"))
		return socket(AF_PACKET, SOCK_RAW, 0);
	if (is(verb, "chroot"))
		return chroot(one);
	if (is(verb, "escape"))
		return escape(one);
	if (is(verb, "escape-by-descriptor"))
		return escape_by_descriptor(one);
	if (is(verb, "statfs"))
		return file_system(one);
	if (is(verb, "umount"))
		return umount2(one, MNT_DETACH);
	if (is(verb, "bind"))
		return mount(one, two, NULL, MS_BIND, NULL);
	if (is(verb, "mount"))
		return mount(one, two, one, 0, NULL);
	if (is(verb, "remount"))
		return mount(NULL, one, NULL, MS_REMOUNT | MS_BIND, NULL);
	if (is(verb, "join")) {
		int space = open(one, O_RDONLY);
		return space < 0 ? -1 : setns(space, 0);
	}
	if (is(verb, "seize"))
		return ptrace(PTRACE_SEIZE, atoi(one), 0, 0) < 0 ? -1 : 0;
	if (is(verb, "handle")) {
		struct file_handle *handle = calloc(1, sizeof(*handle) + MAX_HANDLE_SZ);
		int mount_id, place = open("/", O_RDONLY | O_DIRECTORY);
		/* The root of an ext4: what a privileged open_by_handle_at(2) reads the host's disk with. */
		unsigned int root[2] = {2, 0};
		(void)mount_id;
		handle->handle_bytes = sizeof(root);
		handle->handle_type = 1;
		memcpy(handle->f_handle, root, sizeof(root));
		return open_by_handle_at(place, handle, O_RDONLY);
	}
	if (is(verb, "watch"))
		return watch(one);
	if (is(verb, "sleep")) {
		fflush(stdout);
		return sleep(atoi(one)) ? -1 : 0;
	}
	fprintf(stderr, "tries: no such verb: %s\n", verb);
	exit(64);
}

int main(int count, char **words)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int at = 1; at < count;) {
		int end = at;
		while (end < count && strcmp(words[end], ","))
			end++;
		value[0] = 0;
		errno = 0;
		int done = attempt(end - at, words + at);
		if (done < 0)
			printf("{\"verb\":\"%s\",\"ok\":false,\"errno\":%d,\"value\":\"%s\"}\n", words[at], errno, value);
		else
			printf("{\"verb\":\"%s\",\"ok\":true,\"errno\":null,\"value\":\"%s\"}\n", words[at], value);
		at = end + 1;
	}
	return 0;
}
