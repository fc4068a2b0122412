// The JSON of the packets alone, for parsers that know nothing else.
#pragma once

#include "contestant.hpp"
#include "corpus.hpp"
#include "mix.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bench {

// Adds a case for each packet without attachments, for the body of such packets, and for the mix:
// `parse(Text const&) -> bool`. `Text` is made of the JSON before anything is measured.
template <class Text = std::string, class Parse>
void add_json_cases(contestant& parser, corpus const& c, std::vector<mixed_packet> const& mix, Parse parse) {
    auto const add = [&](std::string const& name, std::vector<Text> texts) {
        std::size_t const packets = texts.size();
        parser.add("decode/" + name, packets, [texts = std::move(texts), parse] {
            return std::ranges::all_of(texts, [&parse](Text const& text) {
                keep(text.data()); // each call reads it anew
                return parse(text);
            });
        });
    };
    auto const one = [](std::string_view json) {
        std::vector<Text> texts;
        texts.emplace_back(json);
        return texts;
    };
    for (std::size_t i = 0; i != 4; ++i) add(c.packets[i].name, one(c.packets[i].json()));
    std::vector<Text> body;
    for_each_packet(c.bodies[0], [&](socketio::message const& m) { body.emplace_back(m.packet.data.raw()); });
    add(c.bodies[0].name, std::move(body));
    std::vector<Text> mixed;
    for (mixed_packet const& p : mix) mixed.emplace_back(sample{"mix", p.frame}.json());
    add("mix", std::move(mixed));
}

} // namespace bench
