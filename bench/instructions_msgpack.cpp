// What bench/instructions counts of the MessagePack parser.

#include "instructions.hpp"
#include "msgpack_codecs.hpp"

#include <string>
#include <utility>

void bench::count_msgpack(counter const& count) {
    corpus const c;
    values const v(c);
    for_each_msgpack_case(c, v, [&](std::string const& name, auto work) { count(name, 1, std::move(work)); });
}
