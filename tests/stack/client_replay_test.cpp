// A whole client before the recorded servers (see drivers/transcript.hpp).

#include "demo/capture.hpp"
#include "drivers/recorded.hpp"
#include "drivers/stacks.hpp"
#include "drivers/transcript.hpp"
#include "tools/catch.hpp"

#include <socketless/client.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stack_client_replay_test {

using namespace socketless;
using namespace support::replays;
using namespace std::chrono_literals;
using demo::happening;
using demo::happening_kind;
using demo::side;
using engineio::transmit_type;
using socketio::event_type;
using socketio::socket_handle;
using support::capture;

namespace {

constexpr std::byte four_bytes[] = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};

// A client before the recorded server's side of one connection after the other. Its POSTs are answered at once; the
// pending GET gets the answer to any GET.
class client_replay {
public:
    client_replay(capture const& recorded, std::string_view name, std::vector<std::size_t> connections)
        : theirs(recorded.connections[connections.front()].revision, false), ours(theirs), recorded_(recorded),
          name_(name), connections_(std::move(connections)),
          client_(options(first()), support::counting_random(), support::start) {
        for (std::size_t const index : connections_) read(theirs, recorded, recorded.connections[index]);
    }

    // The recorded packets of all its connections, and ours.
    transcript theirs;
    transcript ours;

    void run() {
        std::optional<std::size_t> current;
        for (auto const& [index, h] : recorded_.happenings) {
            if (std::ranges::find(connections_, index) == connections_.end()) continue;
            support::run_until(client_, now_, h.time, [this] { drain(); });
            if (current != index) begin(index);
            current = index;
            if (h.from == side::client)
                client_did(h);
            else
                server_did(h);
            drain();
        }
        CHECK(client_.is_idle());
    }

private:
    [[nodiscard]] connection const& first() const { return recorded_.connections[connections_.front()]; }

    static client_options options(connection const& c) {
        client_options o;
        o.transports = c.transports;
        o.revision = c.revision;
        o.force_base64 = c.base64;
        o.reconnection_delay = 150ms;
        o.randomization_factor = 0;
        return o;
    }

    // The application joins its namespaces, or the client comes back by itself.
    void begin(std::size_t index) {
        recorded_connection_ = &recorded_.connections[index];
        channel_open_ = false;
        if (!client_.is_idle()) return;
        auto const& joined = theirs.said(side::client);
        bool const is_refused = name_ == "refused";
        if (!is_refused) root_ = *client_.connect("/"); // unseen in revision 4
        std::string_view const token = is_refused ? "no" : "123";
        if (joined.contains("/admin")) admin_ = *client_.connect("/admin", json::object("token", token));
        if (joined.contains("/nowhere")) CHECK(client_.connect("/nowhere").has_value());
        drain();
    }

    //=== what was recorded ===//

    // Does what the recorded application did by itself: it left at last.
    void client_did(happening const& h) {
        for (auto const& [p, data] : packets_of(recorded_, *recorded_connection_, h)) {
            if (h.kind == happening_kind::websocket_message) open_channel();
            // The server had nothing for the poll in flight, and answers it with a noop.
            bool const v4 = recorded_connection_->revision == engineio::revision::v4;
            if (p.type == engineio::packet_type::upgrade && get_) answer(v4 ? "6" : "1:6", frame_kind::text);
            if (p.type == engineio::packet_type::message && data == "1" && root_) client_.disconnect(*root_);
        }
    }

    void server_did(happening const& h) {
        if (h.kind == happening_kind::websocket_close) return client_.channel_closed(channel_, now_);
        auto const packets = packets_of(recorded_, *recorded_connection_, h);
        if (packets.empty()) return;
        if (h.kind == happening_kind::websocket_message) {
            open_channel();
            auto const& [p, data] = packets.front();
            std::string out;
            auto const message = translated(p, data);
            REQUIRE(engineio::encode(out, {p.type, p.kind, message}, recorded_connection_->revision).has_value());
            client_.websocket_received(channel_, {h.body->kind, out}, now_);
            return drain(); // while the bytes are there
        }
        std::string body;
        engineio::payload_writer writer(body, std::numeric_limits<std::size_t>::max(),
                                        support::format_of(h.body->kind, recorded_connection_->revision));
        for (auto const& [p, data] : packets) REQUIRE(writer.push({p.type, p.kind, translated(p, data)}) == true);
        if (get_) answer(body, h.body->kind);
    }

    // With our ids.
    std::string translated(engineio::packet const& p, std::string message) {
        if (p.type != engineio::packet_type::message) return message;
        auto const r = revision_of(*recorded_connection_);
        if (auto const ack = ack_in({p.kind, message}, r)) {
            auto const place = theirs.place_of(side::client, ack->nsp, *ack->id);
            message = with_id(message, r, ours.id_of(side::client, ack->nsp, place));
        }
        ours.add(side::server, {p.kind, message});
        return message;
    }

    void open_channel() {
        if (std::exchange(channel_open_, true)) return;
        client_.channel_opened(channel_, now_);
        drain();
    }

    void answer(std::string body, frame_kind kind) {
        auto const exchange = *std::exchange(get_, std::nullopt);
        client_.http_response(exchange, 200, kind == frame_kind::binary, body, now_);
        drain();
    }

    //=== what we say ===//

    void drain() {
        for (;;) {
            if (auto e = client_.poll_event()) {
                handle(*e);
            } else if (auto const t = client_.poll_transmit(buffer_)) {
                take(*t);
            } else if (!posts_.empty()) {
                auto const exchange = posts_.back();
                posts_.pop_back();
                client_.http_response(exchange, 200, false, {}, now_);
            } else {
                return;
            }
        }
    }

    void take(engineio::transmit const& t) {
        switch (t.type) {
        case transmit_type::get: get_ = t.id; break;
        case transmit_type::post:
            for (auto const& [p, data] : support::packets_of_body(t.data.data, t.data.kind, first().revision)) said(p);
            posts_.push_back(t.id);
            break;
        case transmit_type::open_websocket: channel_ = t.id; break;
        case transmit_type::send: {
            auto const p = engineio::decode(t.data, first().revision);
            REQUIRE(p.has_value());
            said(*p);
            break;
        }
        case transmit_type::abort:
            if (get_ == t.id) get_.reset();
            break;
        default: break;
        }
    }

    void said(engineio::packet const& p) {
        if (p.type == engineio::packet_type::message) ours.add(side::client, {p.kind, p.data});
    }

    //=== the application ===//

    void handle(client::event& e) {
        using enum event_type;
        if (e.type == connected && name_ != "recovery" && name_ != "server-leaves") begin_talk();
        if (e.type == event && e.name() == "question") {
            auto const question = *e.args().begin();
            CHECK(client_.acknowledge(e.ack, json::object("a", "yes", "q", question)).has_value());
        }
        if (e.type == event && e.name() == "answered" && admin_) ask(*admin_, "from admin");
        if (e.type == ack) answered(e);
    }

    // Once all namespaces are joined.
    void begin_talk() {
        if (admin_ && (!client_.is_connected(*root_) || !client_.is_connected(*admin_))) return;
        std::array<std::byte, 1024> kilobyte{};
        for (std::size_t i = 0; i != kilobyte.size(); ++i) kilobyte[i] = static_cast<std::byte>(i);
        auto const nested = json::object("deep", "é😀");
        echo("plain", 1, -2.5, true, nullptr, std::make_tuple("nested", nested));
        echo(four_bytes, json::object("file", kilobyte, "name", "kb"));
        ask(*root_, "with ack");
    }

    void answered(client::event const& e) {
        if (admin_ == e.socket) return client_.disconnect(e.socket);
        if (e.get<std::string>()) return ask(*root_, json::object("bin", four_bytes));
        for (int i = 0; i != 20; ++i) echo("burst", i);
        CHECK(client_.emit(*root_, "ask-me").has_value());
    }

    template <class... Args>
    void echo(Args const&... args) {
        CHECK(client_.emit(*root_, "echo", args...).has_value());
    }
    template <class Arg>
    void ask(socket_handle socket, Arg const& arg) {
        CHECK(client_.emit_with_ack(socket, std::nullopt, "echo", arg).has_value());
    }

    capture const& recorded_;
    std::string_view name_;
    std::vector<std::size_t> connections_;
    client client_;
    time_point now_ = support::start;
    std::string buffer_;
    connection const* recorded_connection_ = nullptr;
    std::optional<socket_handle> root_;
    std::optional<socket_handle> admin_;
    std::optional<engineio::exchange_id> get_;
    std::vector<engineio::exchange_id> posts_;
    engineio::channel_id channel_ = 0;
    bool channel_open_ = false;
};

} // namespace

TEST_CASE("a client says to a recorded server what the reference said", "[replay]") {
    for (std::string const name : all_captures) {
        capture const recorded(name);
        // The two connections of "refused" are those of two clients, all others of one.
        std::vector<std::vector<std::size_t>> clients(1);
        for (std::size_t i = 0; i != recorded.connections.size(); ++i) {
            if (i != 0 && name == "refused") clients.emplace_back();
            clients.back().push_back(i);
        }
        for (auto const& connections : clients) {
            INFO(name << ", line " << recorded.connections[connections.front()].happenings.front().line);
            client_replay replay(recorded, name, connections);
            replay.run();
            CHECK(packets(replay.theirs.said(side::client)) > 0);
            CHECK(replay.ours.said(side::client) == replay.theirs.said(side::client));
            CHECK(replay.ours.said(side::server) == replay.theirs.said(side::server)); // it got all messages
        }
    }
}

} // namespace stack_client_replay_test
