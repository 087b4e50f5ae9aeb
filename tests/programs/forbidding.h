/* Filters of system calls, for the programs that install one. */
#ifndef FORBIDDING_H
#define FORBIDDING_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

/* The steps of one that answers a single call so, and allows all others. */
#define FORBIDDING(number, answer)                                             \
	{                                                                      \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,                             \
			 offsetof(struct seccomp_data, nr)),                   \
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),     \
			BPF_STMT(BPF_RET | BPF_K, answer),                     \
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)           \
	}

#endif
