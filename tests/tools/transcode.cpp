// transcode: packets of every codec, decoded to and encoded from JSON lines, to compare the library with other
// implementations. Line in, line out; the forms are those of tests/data/vectors/README.md.

#include "tools/transcode.hpp"

#include "tools/http_lines.hpp"

#include <iostream>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view usage = R"(usage: transcode decode CODEC | transcode encode CODEC

decode: lines of items, "t:<hex>" (text) or "b:<hex>" (binary), separated by one space
encode: lines of packets as JSON; for the payload codecs, of arrays of packets

CODEC: engineio-v4-frame, engineio-v4-payload, engineio-v3-frame, engineio-stream, socketio-v5, socketio-v4,
       socketio-msgpack;
       decode also engineio-v3-payload, and http-request, whose lines are hexadecimal; encode also engineio-v3-payload-text and engineio-v3-payload-binary
)";

} // namespace

int main(int argc, char** argv) {
    std::string_view const direction = argc == 3 ? argv[1] : "";
    if (direction != "decode" && direction != "encode") {
        std::cerr << usage;
        return 2;
    }
    std::string_view const codec = argv[2];
    std::ios::sync_with_stdio(false);
    for (std::string line; std::getline(std::cin, line);) {
        auto const answer = codec == "http-request" ? support::decode_http_requests(line)
                            : direction == "decode" ? support::decode_line(codec, line)
                                                    : support::encode_line(codec, line);
        if (!answer) {
            std::cerr << "transcode: not a codec, or not a line of it: " << argv[2] << ": " << line.substr(0, 200)
                      << '\n';
            return 2;
        }
        std::cout << *answer << '\n';
    }
}
