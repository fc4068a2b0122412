// Many different packets of the kinds of P1 to P3 in random order, which bench/compare writes to a file, one a line.
#pragma once

#include "corpus.hpp"

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace bench {

struct mixed_packet {
    std::string frame;
    std::string nsp;
    std::optional<std::uint64_t> id;
    std::string name;
    std::variant<std::string, person, history> argument;

    // Appends the packet behind the digit of a message.
    [[nodiscard]] result<std::size_t> encode(std::string& text) const {
        text += '4';
        return std::visit([&](auto const& a) { return socketio::encode_event(text, {.nsp = nsp, .id = id}, name, a); },
                          argument);
    }
};

inline mixed_packet read_mixed_packet(std::string const& frame) {
    auto const p = checked(socketio::decode(std::string_view(frame).substr(1)), frame);
    auto const argument = (*socketio::arguments(p).begin()).json();
    mixed_packet read{frame, std::string(p.nsp), p.id, checked(p.event_name().get<std::string>(), frame), {}};
    if (argument.find("room"))
        read.argument = read_history(argument);
    else if (argument.find("tags"))
        read.argument = read_person(argument);
    else
        read.argument = checked(argument.get<std::string>(), frame);
    return read;
}

inline std::vector<mixed_packet> read_mix(char const* file_name) {
    std::vector<mixed_packet> mix;
    std::ifstream file(file_name);
    for (std::string line; std::getline(file, line);) mix.push_back(read_mixed_packet(line));
    require(!mix.empty(), std::string(file_name) + " cannot be read");
    return mix;
}

} // namespace bench
