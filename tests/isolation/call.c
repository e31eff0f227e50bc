/* call ATTEMPT...: makes system calls as nothing but a program of its own can, and prints each attempt with the errno it met, 0 for none.
 *
 *   64:NUMBER:ARGUMENT...   by the instruction syscall; with 0x40000000 in the number it is one of x32
 *   32:NUMBER:ARGUMENT...   by int 0x80, as i386 does
 *   bind:PORT, connect:PORT on 127.0.0.1; fastopen:PORT and mptcp:PORT connect in ways of their own
 *   threads                 starts some, and a process
 *   keyring                 prints the session keyring's serial number and owner in place of an errno
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static long i386(const long *a) {
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(a[0]), "b"(a[1]), "c"(a[2]), "d"(a[3]), "S"(a[4]), "D"(a[5])
                     : "memory", "r8", "r9", "r10", "r11");
    return (int)result;
}

static int numbered(int is_32, char *text) {
    long a[6] = {0}, result;
    char *rest = text;
    for (int at = 0; at < 6 && rest != NULL; at++) {
        a[at] = (long)strtoull(rest, NULL, 0);
        rest = strchr(rest, ':');
        if (rest != NULL) {
            rest++;
        }
    }
    if (is_32) {
        result = i386(a);
        return result < 0 ? (int)-result : 0;
    }
    result = syscall(a[0], a[1], a[2], a[3], a[4], a[5]);
    return result < 0 ? errno : 0;
}

static int tcp(const char *how, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int protocol = strcmp(how, "mptcp") == 0 ? IPPROTO_MPTCP : 0;
    int fd = socket(AF_INET, SOCK_STREAM, protocol);
    long result;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0) {
        return errno;
    }
    if (strcmp(how, "bind") == 0) {
        result = bind(fd, (struct sockaddr *)&address, sizeof address);
    } else if (strcmp(how, "fastopen") == 0) {
        result = sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&address, sizeof address);
    } else {
        result = connect(fd, (struct sockaddr *)&address, sizeof address);
    }
    result = result < 0 ? errno : 0;
    close(fd);
    return (int)result;
}

static void *nothing(void *argument) { return argument; }

static int threads(void) {
    char *argv[] = {"true", NULL};
    int status = 0, error;
    pid_t pid;

    for (int at = 0; at < 8; at++) {
        pthread_t thread;
        if ((error = pthread_create(&thread, NULL, nothing, NULL)) != 0 || (error = pthread_join(thread, NULL)) != 0) {
            return error;
        }
    }
    if ((error = posix_spawnp(&pid, "true", NULL, NULL, argv, environ)) != 0) {
        return error;
    }
    return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : ECHILD;
}

static void keyring(void) {
    const int describe = 6, get_id = 0, session = -3;
    char text[256] = "";
    long serial = syscall(SYS_keyctl, get_id, session, 0);
    if (serial < 0 || syscall(SYS_keyctl, describe, serial, text, sizeof text) < 0) {
        printf("keyring refused %d\n", errno);
        return;
    }
    /* "keyring;UID;GID;PERMISSIONS;NAME" */
    text[strcspn(text + strlen("keyring;"), ";") + strlen("keyring;")] = 0;
    printf("keyring %ld %s\n", serial, text + strlen("keyring;"));
}

int main(int argc, char **argv) {
    for (int at = 1; at < argc; at++) {
        char *rest = strchr(argv[at], ':');
        int met = EINVAL;
        if (strcmp(argv[at], "keyring") == 0) {
            keyring();
            continue;
        }
        printf("%s ", argv[at]);
        fflush(stdout);
        if (strcmp(argv[at], "threads") == 0) {
            met = threads();
        } else if (rest != NULL) {
            *rest++ = 0;
            met = isdigit(argv[at][0]) ? numbered(strcmp(argv[at], "32") == 0, rest) : tcp(argv[at], atoi(rest));
        }
        printf("%d\n", met);
    }
    return 0;
}
