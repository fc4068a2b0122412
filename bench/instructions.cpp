// The work that bench/instructions counts.

#include "instructions.hpp"

#include "codecs.hpp"

#include <cstddef>

void measured(void (*loop)(void* work, std::size_t calls), void* work, std::size_t calls) {
    loop(work, calls);
}

int main() {
    bench::corpus const c;
    bench::values const v(c);
    bench::check(c, v);
    bench::counter const count;
    bench::for_each_codec_case(c, v, count);
    bench::count_stacks(count);
    bench::count_msgpack(count);
    return 0;
}
