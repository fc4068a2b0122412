// The work that bench/instructions counts. Callgrind sees when `measured` begins and ends; each case runs there twice,
// and what the longer run has more is the work alone.

#include "codecs.hpp"

#include <cstddef>
#include <cstdio>
#include <string>

using work_loop = void (*)(void* work, std::size_t calls);

extern "C" void measured(work_loop loop, void* work, std::size_t calls) {
    loop(work, calls);
}

namespace {

using namespace bench;

// Callgrind knows the function by its name: the compiler must neither inline nor clone it.
void (*volatile const call_measured)(work_loop, void*, std::size_t) = measured;

struct counter {
    template <class Work>
    void operator()(std::string const& name, std::size_t packets, Work work) const {
        auto const loop = [](void* w, std::size_t calls) {
            for (std::size_t n = 0; n != calls; ++n) require((*static_cast<Work*>(w))(), "a case fails");
        };
        loop(&work, 3); // its buffers have grown
        std::size_t const calls = name.ends_with("P4") ? 1 : 20;
        call_measured(loop, &work, calls);
        call_measured(loop, &work, 2 * calls);
        std::printf("%s %zu\n", name.c_str(), calls * packets);
    }
};

} // namespace

int main() {
    corpus const c;
    values const v(c);
    check(c, v);
    for_each_codec_case(c, v, counter());
    return 0;
}
