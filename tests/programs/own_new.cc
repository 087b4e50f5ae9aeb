/*
 * A program with an operator new of its own, as programs with their own
 * allocators have: what it takes from malloc counts once.
 */
#include <cstdlib>
#include <new>

void *operator new(std::size_t size)
{
	void *block = std::malloc(size);

	if (!block)
		throw std::bad_alloc();
	return block;
}

void operator delete(void *block) noexcept
{
	std::free(block);
}

void operator delete(void *block, std::size_t) noexcept
{
	std::free(block);
}

namespace
{

struct object {
	char bytes[640];
};

object *volatile objects[100];

} // namespace

extern "C" __attribute__((noinline)) void make_objects()
{
	for (auto &slot : objects)
		slot = new object;
}

int main()
{
	make_objects();
	for (int i = 0; i < 40; i++)
		delete objects[i];
	return 0;
}
