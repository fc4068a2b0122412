// Each capture of tests/data/captures decodes to what its README says happened. (That it also encodes to the same
// bytes again is checked by tests/demo/inspect.)

#include "demo/capture.hpp"
#include "tools/catch.hpp"

#include <socketless/socketless.hpp>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace captures_captures_test {

namespace {

using namespace demo;

// The Socket.IO packets of a capture as lines, "client / event echo 5": the sender, namespace, type, name, and number
// of arguments or attachments; and the Engine.IO packets that are no messages, "server ping".
class story {
public:
    explicit story(std::string const& name) {
        std::ifstream file(std::string(SOCKETLESS_TEST_DATA) + "/captures/" + name + ".jsonl", std::ios::binary);
        capture_reader reader;
        REQUIRE(reader.read(file));
        for (happening const& h : reader.happenings()) tell(h);
    }

    [[nodiscard]] std::size_t count(std::string_view line) const {
        return static_cast<std::size_t>(std::ranges::count(lines_, line));
    }
    [[nodiscard]] std::size_t count_starting(std::string_view start) const {
        return static_cast<std::size_t>(
            std::ranges::count_if(lines_, [start](auto const& line) { return line.starts_with(start); }));
    }
    [[nodiscard]] std::vector<std::string> const& lines() const { return lines_; }
    [[nodiscard]] std::size_t errors() const { return errors_; }

private:
    struct connection {
        engineio::revision revision = engineio::revision::v4;
        std::string key;
    };

    void tell(happening const& h) {
        bool const http = is_http(h.kind);
        if (!h.target.empty()) begin(h);
        connection& c = connections_[{http, h.number}];
        if (!h.body) return;
        bool const posted = http && (h.method == "POST" || h.from == side::server);
        if (posted && h.body->bytes == "ok") return;
        if (http && h.kind == happening_kind::http_request && h.method != "POST") return;
        std::string body = h.body->bytes;
        if (http) {
            bool const v3 = c.revision == engineio::revision::v3;
            using enum engineio::payload_format;
            auto const form = !v3 ? v4 : h.body->kind == frame_kind::text ? v3_text : v3_binary;
            engineio::payload_reader reader(body, form);
            while (auto const p = reader.next()) tell(h, c, *p);
        } else {
            tell(h, c, engineio::decode({h.body->kind, body}, c.revision, body));
        }
    }

    void begin(happening const& h) {
        auto const target = engineio::parse_request_target(h.target);
        REQUIRE(target.has_value());
        connection& c = connections_[{is_http(h.kind), h.number}];
        c.revision = target->revision;
        auto const own = (is_http(h.kind) ? "exchange " : "channel ") + std::to_string(h.number);
        c.key = target->sid ? key_of_sid_[std::string(*target->sid)] : own;
    }

    void tell(happening const& h, connection const& c, result<engineio::packet> const& p) {
        std::string const who = h.from == side::client ? "client " : "server ";
        if (!p) {
            ++errors_;
            return;
        }
        if (p->type == engineio::packet_type::open) {
            auto const handshake = engineio::decode_handshake(p->data);
            REQUIRE(handshake.has_value());
            CHECK(handshake->ping_interval.count() == 300);
            CHECK(handshake->ping_timeout.count() == 200);
            key_of_sid_[std::string(handshake->sid)] = c.key;
        }
        if (p->type != engineio::packet_type::message) {
            lines_.push_back(who + std::string(name(p->type)) + (p->data == "probe" ? " probe" : ""));
            return;
        }
        auto const revision = c.revision == engineio::revision::v3 ? socketio::revision::v4 : socketio::revision::v5;
        // The first message of a session is a CONNECT: text, or of the MessagePack parser.
        frame const f{p->kind, p->data};
        if (has_msgpack_.try_emplace(c.key, f.kind == frame_kind::binary).first->second) {
            socketio::detail::packets_of_parser packets(socketio::msgpack_parser, socketio::sender::server);
            auto const m = packets.decode(f, text_check::due, revision, limits());
            if (!m) ++errors_;
            if (m) lines_.push_back(who + describe(*m));
            return;
        }
        auto& assembler = assemblers_.try_emplace({c.key, h.from}, revision).first->second;
        auto const m = assembler.push(f);
        assembler.retain();
        if (!m) ++errors_;
        if (m && *m) lines_.push_back(who + describe(**m));
    }

    static std::string describe(socketio::message const& m) {
        auto const event = m.packet.event_name().get<std::string>().value_or("");
        auto line = std::string(m.packet.nsp) + " " + std::string(name(m.packet.type));
        if (!event.empty()) line += " " + event;
        if (m.packet.id) line += " id";
        if (!m.attachments.empty()) line += " attachments " + std::to_string(m.attachments.size());
        return line;
    }

    std::map<std::pair<bool, std::uint64_t>, connection> connections_;
    std::map<std::string, std::string> key_of_sid_;
    std::map<std::string, bool> has_msgpack_;
    std::map<std::pair<std::string, side>, socketio::assembler> assemblers_;
    std::vector<std::string> lines_;
    std::size_t errors_ = 0;
};

// The common part of websocket, polling and upgrade, in both revisions.
void has_the_common_story(story const& s) {
    CHECK(s.errors() == 0);
    CHECK(s.count("server open") == 1);
    CHECK(s.count("server / connect") == 1);
    CHECK(s.count("server / event hello") == 1);
    CHECK(s.count("client / event echo") == 21); // one plain, and a burst of 20
    CHECK(s.count("server / event echo-back") == 21);
    CHECK(s.count("client / binary_event echo attachments 2") == 1);
    CHECK(s.count("server / binary_event echo-back attachments 2") == 1);
    CHECK(s.count("client / event echo id") == 1);
    CHECK(s.count("server / ack id") == 1);
    CHECK(s.count("client / binary_event echo id attachments 1") == 1);
    CHECK(s.count("server / binary_ack id attachments 1") == 1);
    CHECK(s.count("client / event ask-me") == 1);
    CHECK(s.count("server / event question id") == 1);
    CHECK(s.count("client / ack id") == 1);
    CHECK(s.count("server / event answered") == 1);
    CHECK(s.count("client / disconnect") == 1);
}

} // namespace

TEST_CASE("websocket, polling, upgrade, msgpack: one client in two namespaces, events, acks, a burst, heartbeats",
          "[captures]") {
    for (std::string_view const name : {"websocket", "polling", "upgrade", "msgpack"}) {
        INFO(name);
        bool const upgrades = name == "upgrade" || name == "msgpack";
        story const s{std::string(name)};
        has_the_common_story(s);
        CHECK(s.count("client / connect") == 1);
        CHECK(s.count("client /admin connect") == 1);
        CHECK(s.count("server /admin connect") == 1);
        CHECK(s.count("server /admin event hello") == 1);
        CHECK(s.count("client /admin event echo id") == 1);
        CHECK(s.count("server /admin ack id") == 1);
        CHECK(s.count("client /admin disconnect") == 1);
        CHECK(s.count("server ping") >= 3);
        CHECK(s.count("client pong") == s.count("server ping"));
        CHECK(s.count("client upgrade") == (upgrades ? 1u : 0u));
        CHECK(s.count("client ping probe") == (upgrades ? 1u : 0u));
        CHECK(s.count("server pong probe") == (upgrades ? 1u : 0u));
    }
}

TEST_CASE("protocol3-*: the same in revision 3, where the client pings", "[captures]") {
    for (std::string_view const name : {"websocket", "polling", "upgrade"}) {
        INFO(name);
        story const s("protocol3-" + std::string(name));
        has_the_common_story(s);
        CHECK(s.count("client ping") >= 3);
        CHECK(s.count("server pong") == s.count("client ping"));
        CHECK(s.count("client upgrade") == (name == "upgrade" ? 1u : 0u));
    }
}

TEST_CASE("refused: a rejected auth and an unknown namespace", "[captures]") {
    story const s("refused");
    CHECK(s.errors() == 0);
    CHECK(s.count("client /admin connect") == 1);
    CHECK(s.count("server /admin connect_error") == 1);
    CHECK(s.count("client /nowhere connect") == 1);
    CHECK(s.count("server /nowhere connect_error") == 1);
}

TEST_CASE("recovery: the second connection is given what was missed", "[captures]") {
    story const s("recovery");
    CHECK(s.errors() == 0);
    CHECK(s.count("client / connect") == 2);
    CHECK(s.count("server / connect") == 2);
    CHECK(s.count("server / event news") == 2);
    CHECK(s.count("server / event hello") == 2);
}

TEST_CASE("server-leaves: the server disconnects a namespace, then a connection", "[captures]") {
    story const s("server-leaves");
    CHECK(s.errors() == 0);
    CHECK(s.count("client / connect") == 2);
    CHECK(s.count("server / disconnect") == 2);
    CHECK(s.count_starting("client / disconnect") == 0);
}

} // namespace captures_captures_test
