// Messages as entries of a Redis stream, as @socket.io/redis-streams-adapter 0.3.1 adds them.
#pragma once

#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/detail/message_codec.hpp>
#include <socketless/cluster/detail/payload.hpp>
#include <socketless/cluster/redis_command.hpp>
#include <socketless/core/detail/digits.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/msgpack/validate.hpp>
#include <socketless/msgpack/writer.hpp>
#include <socketless/text/base64.hpp>

#include <algorithm>
#include <charconv>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

// The id of an entry: <milliseconds>-<sequence number>. Source: Redis, "Streams".
struct stream_id {
    std::uint64_t milliseconds = 0;
    std::uint64_t sequence = 0;

    [[nodiscard]] friend auto operator<=>(stream_id const&, stream_id const&) noexcept = default;

    [[nodiscard]] static std::optional<stream_id> read(std::string_view text) noexcept {
        auto const hyphen = std::min(text.find('-'), text.size());
        auto const first = number(text.substr(0, hyphen));
        auto const second = number(text.substr(std::min(hyphen + 1, text.size())));
        if (!first || !second) return std::nullopt;
        return stream_id{*first, *second};
    }
    [[nodiscard]] std::string text() const {
        std::string out(core_detail::decimal_text(milliseconds).view());
        return out.append(1, '-').append(core_detail::decimal_text(sequence).view());
    }

private:
    [[nodiscard]] static std::optional<std::uint64_t> number(std::string_view digits) noexcept {
        std::uint64_t n = 0;
        auto const* const end = digits.data() + digits.size();
        auto const read = std::from_chars(digits.data(), end, n);
        return read.ec == std::errc() && read.ptr == end ? std::optional(n) : std::nullopt;
    }
};

// The fields of an entry. Borrowed.
struct stream_fields {
    std::string_view uid;
    std::string_view nsp;
    std::string_view type; // decimal digits
    std::string_view data; // a JSON object; with binary values in it MessagePack as base64

    // Of names and values in turns. What is unknown is left out.
    [[nodiscard]] static stream_fields of(redis_reply const& list) noexcept {
        stream_fields f;
        for (std::size_t i = 0; i + 1 < list.elements.size(); i += 2) {
            auto const name = list.elements[i].text;
            auto const value = list.elements[i + 1].text;
            if (name == "uid") f.uid = value;
            if (name == "nsp") f.nsp = value;
            if (name == "type") f.type = value;
            if (name == "data") f.data = value;
        }
        return f;
    }
};

[[nodiscard]] inline std::string type_field(message_type type) {
    return std::string(core_detail::decimal_text(static_cast<unsigned>(type)).view());
}

// Appends the field `data`. Errors: errc::invalid_utf8, errc::out_of_range.
inline result<void> encode_stream_data(std::string& to, message const& m) {
    if (m.attachments.empty()) return write_json_with(to, [&m](json::writer& out) { write_data(out, m); });
    return write_base64_of_msgpack_with(to, [&m](msgpack::writer& out) { write_data(out, m); });
}

// Reads an entry of one of these types: no other is added to a stream. `buffer` holds the bytes that its attachments
// are borrowed from.
[[nodiscard]] inline bool decode(stream_fields const& entry, std::string& buffer, message& m, limits const& bounds,
                                 std::size_t max_rooms) {
    m.clear();
    bool is_known = false;
    using enum message_type;
    for (auto const type : {broadcast, sockets_join, sockets_leave, disconnect_sockets}) {
        if (entry.type != type_field(type)) continue;
        m.type = type;
        is_known = true;
    }
    if (!is_known || entry.uid.empty() || entry.uid.size() > max_id_size || entry.nsp.empty()) return false;
    m.uid = entry.uid;
    m.nsp = entry.nsp;
    if (entry.data.starts_with('{')) {
        auto const data = json::validate(entry.data, max_depth_of_message(bounds));
        return data && read_data(*data, m, bounds, max_rooms);
    }
    buffer.resize(base64::max_decoded_size(entry.data.size()));
    auto const size = base64::decode(entry.data, buffer);
    if (!size) return false;
    auto const data = msgpack::validate(std::string_view(buffer).substr(0, *size), max_depth_of_message(bounds));
    return data && read_data(*data, m, bounds, max_rooms);
}

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>
