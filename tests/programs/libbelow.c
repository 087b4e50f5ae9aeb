/* What librunpath loads, by a path of its own. */
int below(void);

int below(void)
{
	return 42;
}
