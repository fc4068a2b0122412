// bench/compare's contestant for JSON alone: simdjson, compiled for this machine, so that On-Demand, which is all
// headers, has its best kernel too. The argument is the file of the mix.

#include "contestant.hpp"
#include "json_cases.hpp"
#include "mix.hpp"

#include <simdjson.h>

#include <memory>
#include <string>
#include <string_view>

namespace {

using namespace bench;
namespace ondemand = simdjson::ondemand;

// On-Demand checks what it is asked for: so it is asked for every value.
void walk(ondemand::value value);

void walk(ondemand::array array) {
    for (auto element : array) walk(element.value());
}

void walk(ondemand::object object) {
    for (auto field : object) {
        keep(std::string_view(field.unescaped_key()));
        walk(field.value().value());
    }
}

void walk(ondemand::value value) {
    switch (ondemand::json_type(value.type())) {
    case ondemand::json_type::array: return walk(ondemand::array(value.get_array()));
    case ondemand::json_type::object: return walk(ondemand::object(value.get_object()));
    case ondemand::json_type::number: return keep(ondemand::number(value.get_number()));
    case ondemand::json_type::string: return keep(std::string_view(value.get_string()));
    case ondemand::json_type::boolean: return keep(bool(value.get_bool()));
    case ondemand::json_type::null: return keep(value.is_null());
    }
}

} // namespace

int main(int argc, char** argv) {
    require(argc == 2, "compare_simdjson MIX");
    corpus const c;
    auto const mix = read_mix(argv[1]);
    using simdjson::padded_string;
    std::string const version = SIMDJSON_STRINGIFY(SIMDJSON_VERSION);

    contestant dom("simdjson DOM");
    dom.about(version + ", kernel " + simdjson::get_active_implementation()->name());
    add_json_cases<padded_string>(dom, c, mix,
                                  [parser = std::make_shared<simdjson::dom::parser>()](padded_string const& json) {
                                      auto const document = parser->parse(json);
                                      keep(document);
                                      return document.error() == simdjson::SUCCESS;
                                  });

    contestant on_demand("simdjson On-Demand");
    on_demand.about(version + ", kernel " + SIMDJSON_STRINGIFY(SIMDJSON_BUILTIN_IMPLEMENTATION) + ", every value read");
    add_json_cases<padded_string>(on_demand, c, mix,
                                  [parser = std::make_shared<ondemand::parser>()](padded_string const& json) {
                                      ondemand::document document = parser->iterate(json);
                                      walk(ondemand::array(document.get_array()));
                                      return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
                                  });
    return contestant::serve();
}
