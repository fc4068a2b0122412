// Counting instructions: bench/instructions has callgrind count those of each call of the function `measured`.
#pragma once

#include "corpus.hpp"

#include <cstddef>
#include <cstdio>
#include <string>

extern "C" void measured(void (*loop)(void* work, std::size_t calls), void* work, std::size_t calls);

namespace bench {

// The compiler can neither inline nor clone what is called through this.
inline void (*volatile const call_measured)(void (*)(void*, std::size_t), void*, std::size_t) = measured;

// Prints the name of each case, and how many packets its count is for.
struct counter {
    template <class Work>
    void operator()(std::string const& name, std::size_t packets, Work work) const {
        auto const loop = [](void* w, std::size_t calls) {
            for (std::size_t n = 0; n != calls; ++n) require((*static_cast<Work*>(w))(), "a case fails");
        };
        loop(&work, 3); // its buffers have grown
        std::size_t const calls = name.ends_with("P4") ? 5 : 100;
        call_measured(loop, &work, calls);
        std::printf("%s %zu\n", name.c_str(), calls * packets);
    }
};

// Events through whole stacks, and the parser of MessagePack. In files of their own: how much a compiler inlines
// depends on all that it sees, and the codecs are to be counted as a small program has them.
void count_stacks(counter const& count);
void count_msgpack(counter const& count);

} // namespace bench
