"""Stacks that are hard to walk: `verify` finds that they are captured as
libunwind's own cursor finds them, and they are what the programs know of them.
"""

from tests.support import snapshots
from tests.support.servers import HostTest, files, program, run

MAIN = ('main', '_start')


class Stacks(HostTest):
    def watch(self, name, *arguments, at_least, **options):
        """Runs a program, all of whose stacks must be found alike; its last
        snapshot."""
        done = run([program(name), *arguments], self.snapshots, verify='on',
                   **options)
        self.assertEqual((done.status, done.stderr), (0, ''))
        snapshot = snapshots.load(files(self.snapshots)[-1])
        self.assertEqual(snapshot.comments['different_stacks'], '0',
                         '\n'.join(snapshot.differences))
        self.assertGreaterEqual(int(snapshot.comments['verified_stacks']),
                                at_least)
        self.assertEqual(snapshot.comments['drops'], '0')
        self.program = program(name)
        return snapshot

    def assertKept(self, snapshot, expected, but=None):
        """expected: {stack as far as the program itself: (blocks, bytes)}, of
        what keep() was called for, but through that function."""
        kept = {stack: values[2:]
                for stack, values in snapshot.stacks(self.program).items()
                if stack[:1] == ('keep',) and but not in stack}
        self.assertEqual(kept, expected)

    def test_one_return_address_and_two_callers(self):
        snapshot = self.watch('twins', 3000, at_least=6000)
        self.assertKept(snapshot, {
            ('keep', leaf, 'twin_middle', twin, 'twin_root', *MAIN):
            (1500, 1500 * size)
            for leaf in ('twin_plain', 'twin_saving')
            for twin, size in (('twin_left', 10), ('twin_right', 20))})

    def test_frames_of_any_size(self):
        """alloca, and arrays of variable length."""
        snapshot = self.watch('frame_sizes', 100, at_least=30000)
        self.assertKept(snapshot, {
            ('keep', 'size_known', *MAIN): (100, 10000)})

    def test_some_of_many(self):
        """With sampling, only the stacks of samples are captured."""
        self.watch('frame_sizes', 100, at_least=500, sample=1000, seed=1)

    def test_random_walks(self):
        """alloca, longjmp, signals, coroutines, libc's callbacks."""
        self.watch('stack_walks', 7, 5000, at_least=10000)

    def test_jumps_out_of_system_calls(self):
        self.watch('jumps', 'map', at_least=1000)

    def test_exceptions(self):
        snapshot = self.watch('exceptions', 600, at_least=10000)
        kept = snapshots.NOTHING
        for stack, values in snapshot.stacks(self.program).items():
            if stack[:1] == ('_ZL4keepm',):
                self.assertEqual(stack[-2:], MAIN, stack)
                kept += values
        # Depths of 1 to 20 and 3 kinds, 10 times: what is destroyed, what is
        # thrown again, and what is caught.
        left, each = 30 * sum(range(1, 21)), 200
        self.assertEqual(kept[2:], (left + 3 * each,
                                    11 * left + (22 + 33 + 44) * each))

    def test_tail_calls(self):
        snapshot = self.watch('tail_calls', 600, at_least=1000)
        outer = ('tail_caller', *MAIN)
        self.assertKept(snapshot, {('keep', 'tail_end', *outer):
                                   (600, 6000)})

    def test_realigned_stacks(self):
        snapshot = self.watch('realigned', 500, at_least=2000)
        self.assertKept(snapshot, {
            ('keep', 'align_known', 'align_known_outer', *MAIN):
            (500, 50000)})

    def test_registers_that_are_no_frame_pointers(self):
        snapshot = self.watch('other_registers', 1000, at_least=5000)
        self.assertKept(snapshot, {
            ('keep', 'rbp_known_inner', 'rbp_known', *MAIN): (1000, 100000)})

    def test_assembly(self):
        snapshot = self.watch('frames_asm', 200, at_least=3000)
        stacks = {('keep', 'asm_leaf', name, f'{name}_caller', *MAIN):
                  (200, 2000)
                  for name in ('asm_with_fp', 'asm_cfa_rbx', 'asm_cfa_r12',
                               'asm_cfa_slot', 'asm_cfa_expression',
                               'asm_saved_in_register')}
        self.assertKept(snapshot, stacks, but='asm_without_fp')
        # Nothing tells where its caller is.
        self.assertEqual(snapshot.through('asm_without_fp')[2:], (200, 2000))

    def test_other_stacks(self):
        snapshot = self.watch('stack_switches', 300, at_least=6000)
        inner = ('keep', 'switch_leaf', 'call_on', 'switch_home', 'call_on')
        self.assertKept(snapshot, {
            (*inner, 'switch_above', 'run'): (300, 3000),
            (*inner, 'switch_below', 'run'): (300, 6000)})

    def test_a_stack_that_nothing_tells_of(self):
        self.watch('other_stack', at_least=300)

    def test_coroutines(self):
        snapshot = self.watch('coroutines', 1000, at_least=10000)
        (stack, values), = (
            (stack, values)
            for stack, values in snapshot.stacks(self.program).items()
            if stack[:1] == ('keep',))
        # Where the first function of a coroutine returns to, nobody calls.
        self.assertEqual(stack, ('keep', 'co_body', '[truncated]'))
        self.assertGreaterEqual(values.inuse_objects, 3 * 40)

    def test_handlers_that_allocate(self):
        snapshot = self.watch('alarms', 300, at_least=2000)
        kept = [sample for sample in snapshot.samples
                if sample.stack[0].function == 'keep']
        self.assertEqual(sum(sample.values.inuse_objects for sample in kept),
                         300)
        for sample in kept:
            names = [frame.function for frame in sample.stack]
            self.assertEqual(names[1], 'handle')
            self.assertIn('main', names)

    def test_one_plugin_in_the_place_of_another(self):
        snapshot = self.watch('reloads', program('libreload_one.so'),
                              program('libreload_two.so'), 100, at_least=400)
        for name, values in (('reload_one', (200, 2000, 100, 1000)),
                             ('reload_two', (200, 4000, 100, 2000))):
            self.assertEqual(snapshot.through(name), values)

    def test_while_the_loader_binds_a_function(self):
        self.watch('lazy', program('liblazy.so'), at_least=1)
        snapshot = self.only_snapshot()
        stack, = (sample.stack for sample in snapshot.samples
                  if sample.stack[0].function == 'keep')
        names = [frame.function for frame in stack]
        self.assertEqual(names[names.index('lazy_caller') + 1], 'main')
        self.assertIn('ld-linux', stack[2].file)

    def test_deep_recursion(self):
        snapshot = self.watch('heights', 100000, at_least=5000, depth=100)
        self.assertKept(snapshot, {
            ('keep', *['top'] * 99, '[truncated]'): (1, 1000)})
        snapshot = self.watch('depth', 100000, at_least=1)

    def test_deep_and_shallow(self):
        for depth in (1, 64, 256):
            with self.subTest(depth):
                self.snapshots = self.folder(f'{depth}')
                self.watch('heights', 300, at_least=5000, depth=depth)

    def test_code_without_a_file(self):
        self.watch('jit', at_least=1)

    def test_little_stack(self):
        self.watch('small_stacks', at_least=12)


class Option(HostTest):
    def test_it_is_off_unless_asked_for(self):
        self.unverified = True
        run([program('silent')], self.snapshots, verify='off')
        snapshot = self.only_snapshot()
        self.assertNotIn('verified_stacks', snapshot.comments)
        self.assertNotIn('different_stacks', snapshot.comments)
