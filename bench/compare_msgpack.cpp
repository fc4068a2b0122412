// bench/compare's contestant: the MessagePack parser of this library. It writes the packets as MessagePack to files in
// the directory that the argument names, P1.msgpack to P5.msgpack, for others to read.

#include "contestant.hpp"
#include "msgpack_codecs.hpp"

#include <cstddef>
#include <fstream>
#include <string>
#include <utility>

int main(int argc, char** argv) {
    using namespace bench;
    require(argc == 2, "compare_msgpack DIRECTORY");
    corpus const c;
    values const v(c);
    for (std::size_t i = 0; i != c.packets.size(); ++i) {
        msgpack_encoder encode(i, v, c);
        require(encode(), c.packets[i].name + " is not encoded");
        std::ofstream file(argv[1] + ("/" + c.packets[i].name) + ".msgpack", std::ios::binary);
        require(bool(file << encode.message()), "a file cannot be written");
    }
    contestant in_place("socketless");
    contestant session("socketless, a session");
    for_each_msgpack_case(c, v, [&](std::string name, auto work) {
        std::string const kind = name.substr(0, name.find('/'));
        bool const is_session = kind == "msgpack_session" || kind == "msgpack_emit";
        if (is_session) name.replace(0, kind.size(), kind == "msgpack_emit" ? "msgpack_encode" : "msgpack_decode");
        (is_session ? session : in_place).add(name, 1, std::move(work));
    });
    return contestant::serve();
}
