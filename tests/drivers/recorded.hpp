// The captures of tests/data as tests replay them: cut into connections, with the packets of each side.
#pragma once

#include "demo/capture.hpp"
#include "drivers/lines.hpp"
#include "tools/catch.hpp"

#include <socketless/engineio/handshake.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/payload.hpp>
#include <socketless/engineio/request.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

//=== what was sent ===//

// The packets of one side of a connection, but for the noops: they are a matter of timing.
struct speech {
    std::vector<std::string> messages;
    std::vector<std::string> controls;
    std::optional<std::string> handshake; // without the session id

    void add(engineio::packet const& p) {
        switch (p.type) {
        case engineio::packet_type::message: messages.push_back(show(frame{p.kind, p.data})); break;
        case engineio::packet_type::open: set_handshake(p.data); break;
        case engineio::packet_type::noop: break;
        default: controls.push_back(std::string(name(p.type)) + std::string(p.data));
        }
    }

private:
    void set_handshake(std::string_view data) {
        auto h = engineio::decode_handshake(data);
        REQUIRE(h.has_value());
        REQUIRE_FALSE(handshake.has_value());
        h->sid = "sid";
        handshake.emplace();
        REQUIRE(engineio::encode_handshake(*handshake, *h).has_value());
    }
};

inline engineio::payload_format format_of(frame_kind kind, engineio::revision r) {
    using enum engineio::payload_format;
    return r == engineio::revision::v4 ? v4 : kind == frame_kind::text ? v3_text : v3_binary;
}

inline std::vector<std::pair<engineio::packet, std::string>> packets_of_body(std::string_view body, frame_kind kind,
                                                                             engineio::revision r) {
    std::string copy(body);
    engineio::payload_reader reader(copy, format_of(kind, r));
    std::vector<std::pair<engineio::packet, std::string>> packets;
    while (auto const p = reader.next()) {
        REQUIRE(p->has_value());
        packets.emplace_back(**p, (*p)->data);
    }
    for (auto& [p, data] : packets) p.data = data;
    return packets;
}

// The target with the values of t and sid left out.
inline std::string normalised(std::string_view target) {
    std::string normal;
    for (std::size_t begin = 0; begin < target.size();) {
        auto const end = std::min(target.find_first_of("?&", begin), target.size() - 1) + 1;
        auto const part = target.substr(begin, end - begin);
        if (part.starts_with("t=") || part.starts_with("sid="))
            normal += std::string(part.substr(0, part.find('=') + 1)) + (part.ends_with('&') ? "&" : "");
        else
            normal += part;
        begin = end;
    }
    return normal;
}

//=== what was recorded ===//

// One Engine.IO connection of a capture.
struct recorded_connection {
    engineio::revision revision = engineio::revision::v4;
    std::string sid;
    std::vector<demo::happening> happenings;
    std::set<std::string> requests; // methods and targets
    std::vector<engineio::transport> transports;
    bool base64 = false;
    speech client;
    speech server;
};

class capture {
public:
    explicit capture(std::string const& name) {
        std::ifstream file(std::string(SOCKETLESS_TEST_DATA) + "/captures/" + name + ".jsonl", std::ios::binary);
        demo::capture_reader reader;
        REQUIRE(reader.read(file));
        for (demo::happening const& h : reader.happenings()) add(h);
    }

    std::vector<recorded_connection> connections;
    // All happenings, each with the index of its connection.
    std::vector<std::pair<std::size_t, demo::happening>> happenings;

    [[nodiscard]] std::string const& method(std::uint64_t exchange) const { return methods_.at(exchange); }
    [[nodiscard]] std::size_t connection_of(bool http, std::uint64_t number) const {
        return numbers_.at({http, number});
    }

private:
    void add(demo::happening const& h) {
        bool const http = demo::is_http(h.kind);
        if (!h.target.empty()) begin(h);
        std::size_t const index = numbers_.at({http, h.number});
        happenings.emplace_back(index, h);
        recorded_connection& c = connections[index];
        c.happenings.push_back(h);
        speech& said = h.from == demo::side::client ? c.client : c.server;
        if (h.kind == demo::happening_kind::websocket_message) {
            auto const p = engineio::decode({h.body->kind, h.body->bytes}, c.revision);
            REQUIRE(p.has_value());
            tell(c, said, *p);
        } else if (has_packets(h)) {
            for (auto const& [p, data] : packets_of_body(h.body->bytes, h.body->kind, c.revision)) tell(c, said, p);
        }
    }

    void tell(recorded_connection& c, speech& said, engineio::packet const& p) {
        said.add(p);
        if (p.type != engineio::packet_type::open) return;
        c.sid = engineio::decode_handshake(p.data)->sid;
        sids_[c.sid] = static_cast<std::size_t>(&c - connections.data());
    }

    void begin(demo::happening const& h) {
        bool const http = demo::is_http(h.kind);
        auto const target = engineio::parse_request_target(h.target);
        REQUIRE(target.has_value());
        std::size_t index = connections.size();
        if (target->sid)
            index = sids_.at(std::string(*target->sid));
        else
            connections.emplace_back();
        recorded_connection& c = connections[index];
        c.revision = target->revision;
        c.base64 = c.base64 || target->base64;
        c.requests.insert((http ? h.method : "WebSocket") + " " + normalised(h.target));
        if (std::ranges::find(c.transports, *target->transport) == c.transports.end())
            c.transports.push_back(*target->transport);
        numbers_[{http, h.number}] = index;
        if (http) methods_[h.number] = h.method;
    }

    // POSTs and the answers to GETs.
    [[nodiscard]] bool has_packets(demo::happening const& h) const {
        if (!demo::is_http(h.kind) || !h.body) return false;
        return (method(h.number) == "POST") == (h.from == demo::side::client);
    }

    std::map<std::pair<bool, std::uint64_t>, std::size_t> numbers_;
    std::map<std::uint64_t, std::string> methods_;
    std::map<std::string, std::size_t> sids_;
};

// The clock of a replay: the capture's.
template <class Session, class Drain>
void run_until(Session& session, socketless::time_point& now, std::uint64_t ms, Drain drain) {
    auto const until = start + std::chrono::milliseconds(ms);
    for (auto due = session.poll_timeout(); due && *due <= until; due = session.poll_timeout()) {
        now = std::max(now, *due);
        session.handle_timeout(now);
        drain();
    }
    now = until;
}

} // namespace support
