// Compiled by the symboliser's tests, which know these lines and labels.
int sink;

namespace app {

template <typename T> struct cache {
	__attribute__((noinline)) void put(T value)
	{
		asm volatile("at_method: nop");
		sink += (int)value;
	}
};

namespace {

struct unseen {
	__attribute__((always_inline)) void touch(int value)
	{
		asm volatile("at_unseen: nop");
		sink += value;
	}

	__attribute__((noinline)) void stay(int value)
	{
		asm volatile("at_stay: nop");
		sink -= value;
	}
};

} // namespace

__attribute__((noinline)) int run(int count)
{
	auto callback = [](int by) __attribute__((always_inline))
	{
		asm volatile("at_lambda: nop");
		sink -= by;
	};
	cache<long> all;
	unseen().touch(count);
	unseen().stay(count);
	callback(count);
	all.put(count);
	return sink;
}

} // namespace app

int main(int argc, char **)
{
	return app::run(argc) == 42;
}
