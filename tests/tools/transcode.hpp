// Packets as the lines of the test vectors, and back: for tests/tools/transcode and the vector tests.
#pragma once

#include "tools/hex.hpp"
#include "tools/rewrite.hpp"

#include <socketless/socketless.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

using namespace socketless;

inline std::string item_of(frame f) {
    return (f.kind == frame_kind::text ? "t:" : "b:") + to_hex(f.data);
}

// One "t:<hex>" or "b:<hex>". Owns its bytes: base64 is decoded in place.
struct item {
    frame_kind kind = frame_kind::text;
    std::string data;

    operator frame() const { return {kind, data}; }
};

inline std::optional<item> parse_item(std::string_view s) {
    if (!s.starts_with("t:") && !s.starts_with("b:")) return std::nullopt;
    auto bytes = from_hex(s.substr(2));
    if (!bytes) return std::nullopt;
    return item{s.front() == 't' ? frame_kind::text : frame_kind::binary, std::move(*bytes)};
}

inline std::optional<std::vector<item>> parse_items(std::string_view line) {
    std::vector<item> items;
    while (!line.empty()) {
        auto const space = std::min(line.find(' '), line.size());
        auto parsed = parse_item(line.substr(0, space));
        if (!parsed) return std::nullopt;
        items.push_back(std::move(*parsed));
        line.remove_prefix(std::min(space + 1, line.size()));
    }
    return items;
}

// The answer to a line of items: {"out":[...]}, "error" and "offset" or "incomplete" where they apply.
class answer {
public:
    void add(engineio::packet const& p) {
        append([&](json::writer& out) {
            out.begin_object().member("type", name(p.type));
            if (p.kind == frame_kind::binary)
                out.member("binary", to_hex(p.data));
            else if (!p.data.empty())
                out.member("text", p.data);
            out.end_object();
        });
    }

    void add(socketio::message const& m) {
        socketio::packet const& p = m.packet;
        append([&](json::writer& out) {
            out.begin_object().member("type", type_name(p.type)).member("nsp", p.nsp);
            if (p.query) out.member("query", *p.query);
            if (p.id) out.member("id", *p.id);
            if (!p.data.empty()) out.member("data", shown{{p.data, m.attachments}});
            out.end_object();
        });
    }

    void fail(error e) { error_ = e; }
    void set_incomplete() { incomplete_ = true; }
    [[nodiscard]] bool failed() const { return error_.has_value(); }

    [[nodiscard]] std::string line() const {
        std::string line = "{\"out\":[" + packets_ + "]";
        if (error_)
            line +=
                ",\"error\":\"" + std::string(name(error_->code)) + "\",\"offset\":" + std::to_string(error_->offset);
        else if (incomplete_)
            line += ",\"incomplete\":true";
        return line + "}";
    }

private:
    // In the vectors a binary event that is complete is an event.
    static std::string_view type_name(socketio::packet_type type) {
        if (is_event(type)) return name(socketio::packet_type::event);
        if (is_ack(type)) return name(socketio::packet_type::ack);
        return name(type);
    }

    template <class Write>
    struct written_by {
        Write const& write;
        friend void write_json(json::writer& out, written_by const& w) { w.write(out); }
    };

    template <class Write>
    void append(Write const& write) {
        if (!packets_.empty()) packets_ += ',';
        auto const done = json::write(packets_, written_by<Write>{write});
        if (!done) fail(done.error());
    }

    std::string packets_;
    std::optional<error> error_;
    bool incomplete_ = false;
};

inline constexpr std::size_t stream_limit = 1'000'000;

inline void decode_engineio_frames(std::vector<item>& items, engineio::revision r, answer& a) {
    for (item& i : items) {
        auto const p = engineio::decode(i, r, i.data);
        if (!p) return a.fail(p.error());
        a.add(*p);
    }
}

inline void decode_payloads(std::vector<item>& items, engineio::revision r, answer& a) {
    using enum engineio::payload_format;
    for (item& i : items) {
        auto const v3 = i.kind == frame_kind::text ? v3_text : v3_binary;
        engineio::payload_reader reader(i.data, r == engineio::revision::v4 ? v4 : v3);
        while (auto const p = reader.next()) {
            if (!*p) return a.fail(p->error());
            a.add(**p);
        }
    }
}

inline void decode_stream(std::vector<item>& chunks, answer& a) {
    engineio::stream_reader reader(stream_limit);
    std::string buffer;
    for (item const& chunk : chunks) {
        reader.push(chunk.data);
        while (auto const f = reader.next()) {
            if (!*f) return a.fail(f->error());
            buffer.resize((*f)->data.size());
            auto const p = engineio::decode(**f, engineio::revision::v4, buffer);
            if (!p) return a.fail(p.error());
            a.add(*p);
        }
    }
    if (reader.incomplete()) a.set_incomplete();
}

inline void decode_socketio(std::vector<item>& items, socketio::revision r, answer& a) {
    socketio::assembler assembler(r);
    for (item const& i : items) {
        auto const m = assembler.push(i);
        if (!m) return a.fail(m.error());
        if (*m) a.add(**m);
    }
    if (assembler.attachments_due() != 0) a.set_incomplete();
}

// As a session looks at it: with its rules of types, namespaces, payloads and names of events.
inline void decode_msgpack(std::vector<item> const& items, answer& a) {
    socketio::detail::packets_of_parser packets(socketio::msgpack_parser, socketio::sender::server);
    for (item const& i : items) {
        auto const m = packets.decode(i, text_check::due, socketio::revision::v5, limits());
        if (!m) return a.fail(m.error());
        a.add(*m);
    }
}

// The answer to one line of `transcode decode CODEC`; nothing for an unknown codec or an invalid line.
inline std::optional<std::string> decode_line(std::string_view codec, std::string_view line) {
    auto items = parse_items(line);
    if (!items) return std::nullopt;
    answer a;
    if (codec == "engineio-v4-frame")
        decode_engineio_frames(*items, engineio::revision::v4, a);
    else if (codec == "engineio-v3-frame")
        decode_engineio_frames(*items, engineio::revision::v3, a);
    else if (codec == "engineio-v4-payload")
        decode_payloads(*items, engineio::revision::v4, a);
    else if (codec == "engineio-v3-payload")
        decode_payloads(*items, engineio::revision::v3, a);
    else if (codec == "engineio-stream")
        decode_stream(*items, a);
    else if (codec == "socketio-v5")
        decode_socketio(*items, socketio::revision::v5, a);
    else if (codec == "socketio-v4")
        decode_socketio(*items, socketio::revision::v4, a);
    else if (codec == "socketio-msgpack")
        decode_msgpack(*items, a);
    else
        return std::nullopt;
    return a.line();
}

// A packet of the vectors, with its own bytes.
struct engineio_packet {
    engineio::packet_type type = engineio::packet_type::message;
    frame_kind kind = frame_kind::text;
    std::string data;

    operator engineio::packet() const { return {type, kind, data}; }
};

template <class PacketType>
std::optional<PacketType> type_named(json::text wanted, PacketType last) {
    for (std::size_t i = 0; i <= static_cast<std::size_t>(last); ++i)
        if (wanted.equals(name(static_cast<PacketType>(i)))) return static_cast<PacketType>(i);
    return std::nullopt;
}

inline std::optional<engineio_packet> parse_engineio_packet(json::text source) {
    auto const type = type_named(source.find("type").value_or(json::text()), engineio::packet_type::noop);
    if (!type) return std::nullopt;
    engineio_packet p{*type, frame_kind::text, {}};
    if (auto const text = source.find("text")) {
        auto contents = text->get<std::string>();
        if (!contents) return std::nullopt;
        p.data = std::move(*contents);
    } else if (auto const binary = source.find("binary")) {
        auto bytes = from_hex(binary->get<std::string>().value_or("?"));
        if (!bytes) return std::nullopt;
        p.kind = frame_kind::binary;
        p.data = std::move(*bytes);
    }
    return p;
}

inline std::string error_line(errc code) {
    return "{\"error\":\"" + std::string(name(code)) + "\"}";
}

// The items that `packets` encode to, one for each packet.
template <class Encode>
std::string encode_each(std::vector<engineio_packet> const& packets, Encode const& encode) {
    std::string line;
    for (engineio::packet const p : packets) {
        item i{p.kind, {}};
        if (auto const done = encode(i, p); !done) return error_line(done.error().code);
        line += (line.empty() ? "" : " ") + item_of(i);
    }
    return line;
}

inline std::string encode_payload(std::vector<engineio_packet> const& packets, engineio::payload_format format) {
    item body{format == engineio::payload_format::v3_binary ? frame_kind::binary : frame_kind::text, {}};
    engineio::payload_writer writer(body.data, static_cast<std::size_t>(-1), format);
    for (engineio::packet const p : packets)
        if (auto const pushed = writer.push(p); !pushed) return error_line(pushed.error().code);
    return item_of(body);
}

inline std::optional<std::string> encode_engineio(std::string_view codec, json::text source) {
    std::vector<engineio_packet> packets;
    auto const add = [&packets](json::text one) {
        auto p = parse_engineio_packet(one);
        if (p) packets.push_back(std::move(*p));
        return p.has_value();
    };
    if (source.is(json::kind::array)) {
        for (json::text const element : source.elements())
            if (!add(element)) return std::nullopt;
    } else if (!add(source)) {
        return std::nullopt;
    }

    auto const frame_of = [](engineio::revision r) {
        return [r](item& i, engineio::packet const& p) { return engineio::encode(i.data, p, r); };
    };
    auto const in_stream = [](item& i, engineio::packet const& p) {
        i.kind = frame_kind::binary;
        return engineio::encode_for_stream(i.data, p);
    };
    using enum engineio::payload_format;
    // Without a binary packet revision 3 uses the text form, whatever the peer supports.
    bool const any_binary = std::ranges::any_of(packets, [](auto const& p) { return p.kind == frame_kind::binary; });
    if (codec == "engineio-v4-frame") return encode_each(packets, frame_of(engineio::revision::v4));
    if (codec == "engineio-v3-frame") return encode_each(packets, frame_of(engineio::revision::v3));
    if (codec == "engineio-stream") return encode_each(packets, in_stream);
    if (codec == "engineio-v4-payload") return encode_payload(packets, v4);
    if (codec == "engineio-v3-payload-text") return encode_payload(packets, v3_text);
    if (codec == "engineio-v3-payload-binary") return encode_payload(packets, any_binary ? v3_binary : v3_text);
    return std::nullopt;
}

inline result<std::size_t> encode_socketio_packet(std::string& text, attachment_list& attachments,
                                                  socketio::packet_type type, socketio::address const& to,
                                                  std::optional<json::text> data, binary_values& storage) {
    using enum socketio::packet_type;
    revived const payload{data.value_or(json::text()), &storage};
    switch (type) {
    case connect:
        return data ? socketio::encode_connect(text, to.nsp, payload) : socketio::encode_connect(text, to.nsp);
    case disconnect: return data ? error{errc::invalid_payload} : socketio::encode_disconnect(text, to.nsp);
    case connect_error: return socketio::encode_connect_error(text, to.nsp, payload);
    case event:
    case ack: return socketio::encode_array(text, attachments, type, to, payload);
    case binary_event:
    case binary_ack: break;
    }
    return error{errc::unknown_packet_type};
}

// A packet of the vectors. Its data borrows from the line.
struct socketio_packet {
    socketio::packet_type type = socketio::packet_type::event;
    std::string nsp;
    std::optional<std::uint64_t> id = std::nullopt;
    std::optional<json::text> data = std::nullopt;
};

inline result<socketio_packet> parse_socketio_packet(json::text source) {
    auto const type = type_named(source.find("type").value_or(json::text()), socketio::packet_type::binary_ack);
    if (!type) return error{errc::wrong_kind};
    auto const nsp = source.find("nsp");
    socketio_packet p{*type, nsp ? nsp->get<std::string>().value_or("") : "/"};
    if (auto const query = source.find("query")) p.nsp += '?' + query->get<std::string>().value_or("");
    if (auto const id = source.find("id")) {
        auto const value = id->get<std::uint64_t>();
        if (!value) return error{errc::invalid_ack_id};
        p.id = *value;
    }
    p.data = source.find("data");
    return p;
}

inline std::string encode_socketio(socketio_packet const& p) {
    std::string text;
    attachment_list attachments;
    binary_values storage;
    auto const done = encode_socketio_packet(text, attachments, p.type, {p.nsp, p.id}, p.data, storage);
    if (!done) return error_line(done.error().code);
    std::string line = item_of({frame_kind::text, text});
    for (byte_view const attachment : attachments)
        line += " " + item_of({frame_kind::binary, as_characters(attachment)});
    return line;
}

// As a server sends it.
inline std::string encode_msgpack(socketio_packet const& p) {
    binary_values storage;
    auto const write = [&](json::writer& out) { out.value(revived{*p.data, &storage}); };
    socketio::outgoing_packet::write_function const payload(write);
    std::string message;
    auto const kind = socketio::msgpack_parser.encode(
        {p.type, p.nsp, p.id, socketio::sender::server, p.data ? &payload : nullptr}, message, limits());
    return kind ? item_of({*kind, message}) : error_line(kind.error().code);
}

// The answer to one line of `transcode encode CODEC`; nothing for an unknown codec or an invalid line.
inline std::optional<std::string> encode_line(std::string_view codec, std::string_view line) {
    auto const source = json::validate(line, limits::deepest);
    if (!source) return error_line(source.error().code);
    if (!codec.starts_with("socketio")) return encode_engineio(codec, *source);
    auto const p = parse_socketio_packet(*source);
    if (!p && p.error().code == errc::wrong_kind) return std::nullopt;
    if (!p) return error_line(p.error().code);
    if (codec == "socketio-msgpack") return encode_msgpack(*p);
    return codec == "socketio-v5" || codec == "socketio-v4" ? std::optional(encode_socketio(*p)) : std::nullopt;
}

} // namespace support
