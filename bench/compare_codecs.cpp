// bench/compare's contestant: the codecs of this library. The argument is the file of the mix.

#include "codecs.hpp"
#include "contestant.hpp"
#include "json_cases.hpp"
#include "mix.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace bench;

bool decode_mix(std::vector<mixed_packet> const& mix) {
    bool good = true;
    for (mixed_packet const& p : mix) good = decode_frame(p.frame) && good;
    return good;
}

bool encode_mix(std::vector<mixed_packet> const& mix, std::string& text) {
    bool good = true;
    for (mixed_packet const& p : mix) {
        text.clear();
        good = p.encode(text).has_value() && good;
        keep(text.data());
    }
    return good;
}

} // namespace

int main(int argc, char** argv) {
    require(argc == 2, "compare_codecs MIX");
    corpus const c;
    values const v(c);
    check(c, v);
    auto const mix = read_mix(argv[1]);
    std::string text;
    for (mixed_packet const& p : mix) {
        text.clear();
        require(p.encode(text) && text == p.frame, p.frame + " is encoded to " + text);
    }

    contestant socketless("socketless");
    socketless.about(SOCKETLESS_BENCH_COMPILER);
    contestant beside_msgpack("socketless, JSON");
    for_each_codec_case(c, v, [&](std::string const& name, std::size_t packets, auto work) {
        bool const is_body = name.ends_with("P6") || name.ends_with("P7");
        if (!is_body && (name.starts_with("decode/") || name.starts_with("encode/")))
            beside_msgpack.add("msgpack_" + name, packets, work);
        if (name.starts_with("decode/") || name.starts_with("encode/")) socketless.add(name, packets, std::move(work));
    });
    socketless.add("decode/mix", mix.size(), [&] { return decode_mix(mix); });
    socketless.add("encode/mix", mix.size(), [&] { return encode_mix(mix, text); });

    contestant validate("json::validate");
    add_json_cases(validate, c, mix, [](std::string_view json) { return json::validate(json).has_value(); });
    return contestant::serve();
}
