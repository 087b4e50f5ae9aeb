/* See libcallers.c. */
#ifndef TESTS_LIBCALLERS_H
#define TESTS_LIBCALLERS_H

typedef void callback(void);

enum {
	CALLER_DEEP = 1, /* from more frames than a stack keeps by default */
	/* From a stack that ends without saying so: there is no way further. */
	CALLER_ALONE = 2
};

struct caller {
	const char *name;
	/* Calls back once, from somewhere below a frame of its own manner. */
	void (*run)(callback *call);
	unsigned traits;
};

/* Up to one without a name. */
extern const struct caller callers[];

#endif
