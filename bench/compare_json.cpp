// bench/compare's contestants for JSON alone that are headers: those that are installed. The argument is the file of
// the mix.

#include "contestant.hpp"
#include "json_cases.hpp"
#include "mix.hpp"

#if __has_include(<rapidjson/reader.h>)
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#define HAS_RAPIDJSON
#endif
#if __has_include(<nlohmann/json.hpp>)
#include <nlohmann/json.hpp>
#define HAS_NLOHMANN
#endif

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace bench;

#ifdef HAS_RAPIDJSON
// RapidJSON at its best for this work: SAX, so that it builds nothing, its reader and so its memory kept, no copy of
// the input, UTF-8 validated because decode does so.
void add_rapidjson(corpus const& c, std::vector<mixed_packet> const& mix) {
    using utf8 = rapidjson::UTF8<>;
    struct nothing : rapidjson::BaseReaderHandler<utf8, nothing> {};
    using rapidjson_reader = rapidjson::GenericReader<utf8, utf8>;
    contestant parser("RapidJSON SAX");
    parser.about(RAPIDJSON_VERSION_STRING);
    add_json_cases(parser, c, mix, [reader = std::make_shared<rapidjson_reader>()](std::string_view json) {
        rapidjson::MemoryStream stream(json.data(), json.size());
        nothing handler;
        return !reader->Parse<rapidjson::kParseValidateEncodingFlag>(stream, handler).IsError();
    });
}
#endif

#ifdef HAS_NLOHMANN
void add_nlohmann(corpus const& c, std::vector<mixed_packet> const& mix) {
    contestant parser("nlohmann accept");
    parser.about(std::to_string(NLOHMANN_JSON_VERSION_MAJOR) + "." + std::to_string(NLOHMANN_JSON_VERSION_MINOR) + "." +
                 std::to_string(NLOHMANN_JSON_VERSION_PATCH));
    add_json_cases(parser, c, mix, [](std::string_view json) { return nlohmann::json::accept(json); });
}
#endif

} // namespace

int main(int argc, char** argv) {
    require(argc == 2, "compare_json MIX");
    [[maybe_unused]] corpus const c;
    [[maybe_unused]] auto const mix = read_mix(argv[1]);
#ifdef HAS_RAPIDJSON
    add_rapidjson(c, mix);
#endif
#ifdef HAS_NLOHMANN
    add_nlohmann(c, mix);
#endif
    return contestant::serve();
}
