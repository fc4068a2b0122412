// The captures of tests/data as they are replayed against whole stacks: a server gets the messages of the recorded
// client, a client those of the recorded server, each with an application that does what the recorded application did.
//
// Tests compare the Socket.IO packets of our side: their types, ids (which event an acknowledgement is for), payloads
// byte for byte, and attachments, in order for each namespace. They do not compare what each side is free in: how
// packets are spread over bodies and exchanges, how those of different namespaces interleave, sids, pids, offsets, the
// numbers that stand for an id, and all of Engine.IO (tests/engineio/replay_test.cpp does that).
#pragma once

#include "demo/capture.hpp"
#include "drivers/lines.hpp"
#include "drivers/recorded.hpp"
#include "tools/catch.hpp"
#include "tools/hex.hpp"

#include <socketless/core/frame.hpp>
#include <socketless/json/text.hpp>
#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/assembler.hpp>
#include <socketless/socketio/packet.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support::replays {

using namespace socketless;
using demo::happening;
using demo::happening_kind;
using demo::side;
using connection = recorded_connection;

// The packets of both sides of a connection.
class transcript {
public:
    // With `recovery` the events of the server end with an offset.
    transcript(engineio::revision r, bool recovery)
        : revision_(r == engineio::revision::v3 ? socketio::revision::v4 : socketio::revision::v5),
          recovery_(recovery), assemblers_{socketio::assembler(revision_), socketio::assembler(revision_)} {}

    void add(side from, frame message) {
        auto& assembler = assemblers_[index(from)];
        auto const m = assembler.push(message);
        REQUIRE(m.has_value());
        if (*m) said_[index(from)][std::string((*m)->packet.nsp)].push_back(describe(from, **m));
        assembler.retain();
    }

    // By namespace.
    [[nodiscard]] std::map<std::string, lines> const& said(side from) const { return said_[index(from)]; }

    // The id of the nth acknowledgement that a side has asked for in a namespace.
    [[nodiscard]] std::uint64_t id_of(side asker, std::string_view nsp, std::size_t nth) const {
        auto const& ids = ids_.at({asker, std::string(nsp)});
        REQUIRE(nth < ids.size());
        return ids[nth];
    }
    [[nodiscard]] std::size_t place_of(side asker, std::string_view nsp, std::uint64_t id) const {
        auto const& ids = ids_.at({asker, std::string(nsp)});
        auto const found = std::ranges::find(ids, id);
        REQUIRE(found != ids.end());
        return static_cast<std::size_t>(found - ids.begin());
    }

    // The server's secret and offsets of recovery.
    std::string pid;
    std::vector<std::string> offsets;

private:
    static std::size_t index(side s) { return s == side::client ? 0 : 1; }

    std::string describe(side from, socketio::message const& m) {
        auto const& p = m.packet;
        std::string line(name(p.type));
        if (p.id && is_event(p.type)) {
            auto& ids = ids_[{from, std::string(p.nsp)}];
            line += " asks " + std::to_string(ids.size());
            ids.push_back(*p.id);
        } else if (p.id) {
            auto const asker = from == side::client ? side::server : side::client;
            line += " answers " + std::to_string(place_of(asker, p.nsp, *p.id));
        }
        line += " " + payload(from, p);
        for (byte_view const a : m.attachments) line += " <" + to_hex(as_characters(a)) + ">";
        return line;
    }

    std::string payload(side from, socketio::packet const& p) {
        if (from == side::server && p.type == socketio::packet_type::connect) {
            std::string members;
            for (json::member const m : p.data.members()) members += m.key.get<std::string>().value_or("?") + " ";
            if (auto const secret = p.data.find("pid")) pid = secret->get<std::string>().value_or("");
            return members;
        }
        if (from == side::server && recovery_ && is_event(p.type)) return without_offset(p.data);
        return std::string(p.data.raw());
    }

    std::string without_offset(json::text data) {
        std::string elements;
        json::text last;
        for (json::text const element : data.elements()) {
            if (!last.empty()) elements += std::string(last.raw()) + " ";
            last = element;
        }
        offsets.push_back(last.get<std::string>().value_or(""));
        return elements;
    }

    socketio::revision revision_;
    bool recovery_;
    std::array<socketio::assembler, 2> assemblers_;
    std::array<std::map<std::string, lines>, 2> said_;
    std::map<std::pair<side, std::string>, std::vector<std::uint64_t>> ids_;
};

// The Engine.IO packets of a happening: of a POST, of the answer to a GET, of a WebSocket message.
inline std::vector<std::pair<engineio::packet, std::string>> packets_of(capture const& all, connection const& c,
                                                                        happening const& h) {
    if (!h.body) return {};
    if (h.kind == happening_kind::websocket_message) {
        auto const p = engineio::decode({h.body->kind, h.body->bytes}, c.revision);
        REQUIRE(p.has_value());
        return {{*p, std::string(p->data)}};
    }
    bool const has_packets = (all.method(h.number) == "POST") == (h.from == side::client);
    if (!has_packets) return {};
    return packets_of_body(h.body->bytes, h.body->kind, c.revision);
}

// Adds a recording to a transcript.
inline void read(transcript& into, capture const& all, connection const& c) {
    for (happening const& h : c.happenings)
        for (auto const& [p, data] : packets_of(all, c, h))
            if (p.type == engineio::packet_type::message) into.add(h.from, {p.kind, data});
}

// The packet of a text message, with another id.
inline std::string with_id(std::string_view message, socketio::revision r, std::uint64_t id) {
    auto p = socketio::decode(message, r);
    REQUIRE(p.has_value());
    p->id = id;
    std::string text;
    REQUIRE(socketio::encode(text, *p).has_value());
    return text;
}

// The header of an acknowledgement; nothing for other messages.
inline std::optional<socketio::header> ack_in(frame message, socketio::revision r) {
    if (message.kind == frame_kind::binary) return std::nullopt;
    auto const h = socketio::decode_header(message.data, r);
    if (!h || !is_ack(h->type)) return std::nullopt;
    return *h;
}

inline socketio::revision revision_of(connection const& c) {
    return c.revision == engineio::revision::v3 ? socketio::revision::v4 : socketio::revision::v5;
}

inline bool has_recovery(std::string_view name) {
    return name == "recovery";
}

// Calls f(argument...) with all arguments: events of the captures have up to six.
template <class F>
void spread(socketio::arguments const& args, F f) {
    std::vector<socketio::argument> a;
    for (socketio::argument const each : args) a.push_back(each);
    switch (a.size()) {
    case 1: return f(a[0]);
    case 2: return f(a[0], a[1]);
    case 6: return f(a[0], a[1], a[2], a[3], a[4], a[5]);
    default: FAIL("no capture has so many arguments");
    }
}

inline constexpr char const* all_captures[] = {
    "websocket",         "polling", "upgrade",  "protocol3-websocket", "protocol3-polling",
    "protocol3-upgrade", "refused", "recovery", "server-leaves"};

inline std::size_t packets(std::map<std::string, lines> const& said) {
    std::size_t n = 0;
    for (auto const& [nsp, all] : said) n += all.size();
    return n;
}

} // namespace support::replays
