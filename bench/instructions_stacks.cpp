// What bench/instructions counts of whole stacks: an event there and back.

#include "instructions.hpp"
#include "stack_bench.hpp"

#include <cstddef>
#include <string>

void bench::count_stacks(counter const& count) {
    corpus const c;
    joined_stacks stacks(c);
    joined_wires wires(c);
    codecs_alone codecs(c);
    for (std::size_t const i : {std::size_t{0}, std::size_t{1}, std::size_t{4}}) {
        std::string const& name = c.packets[i].name;
        count("stacks/" + name, 1, [&stacks, i] { return stacks.exchange(i); });
        count("codecs_alone/" + name, 1, [&codecs, i] { return codecs.exchange(i); });
        count("wires/" + name, 1, [&wires, i] { return wires.exchange(i); });
    }
}
