// An I/O layer may hand in all that it has read before it polls: the same inputs, one by one with both polls between
// them or in batches, lead to the same events. Every layer, role, revision and kind of channel.

#include "drivers/socket_lines.hpp"
#include "drivers/socketio_server.hpp"
#include "drivers/stacks.hpp"
#include "tools/catch.hpp"
#include "tools/random.hpp"

#include <socketless/client.hpp>
#include <socketless/engineio/client_session.hpp>
#include <socketless/engineio/server.hpp>
#include <socketless/engineio/stream.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/client_session.hpp>
#include <socketless/socketio/server_session.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace network_batches_test {

using namespace socketless;
using namespace std::chrono_literals;
using engineio::revision;
using engineio::transport;
using support::binary;
using support::lines;
using support::text;

namespace {

enum class input_type { message, chunk, closed, time };

struct input {
    input_type type;
    std::string data = {};
    frame_kind kind = frame_kind::text;
    milliseconds later{0}; // than the input before
};
using script = std::vector<input>;

// Anything that takes inputs. `give` hands one in; `events` drains, events first, and shows them.
class subject {
public:
    virtual ~subject() = default;
    virtual void give(input const& i, time_point now) = 0;
    virtual lines events() = 0;
    [[nodiscard]] virtual std::optional<time_point> timeout() const = 0;
};
using maker = std::function<std::unique_ptr<subject>()>;

// The events of `inputs`, with a drain behind each input that `is_last_of_batch(i)` picks.
template <class IsLast>
lines events_of(maker const& make, script const& inputs, IsLast is_last_of_batch) {
    auto const s = make();
    lines all = s->events();
    time_point now = support::start;
    bool time_has_passed = false; // in this batch: an I/O layer that looks at its timer has waited
    // Copies of exact size, so that a sanitizer sees late reads.
    std::deque<input> given;
    for (std::size_t i = 0; i != inputs.size(); ++i) {
        given.push_back(inputs[i]);
        given.back().data.shrink_to_fit();
        now += inputs[i].later;
        s->give(given.back(), now);
        time_has_passed |= inputs[i].type == input_type::time;
        bool const is_second_time = time_has_passed && i + 1 != inputs.size() && inputs[i + 1].type == input_type::time;
        if (i + 1 != inputs.size() && !is_second_time && !is_last_of_batch(i)) continue;
        time_has_passed = false;
        for (;;) {
            auto const more = s->events();
            all.insert(all.end(), more.begin(), more.end());
            auto const due = s->timeout();
            if (!due || *due > now) break;
            s->give({input_type::time}, now);
        }
        given.clear();
    }
    return all;
}

void check_batches(maker const& make, script const& inputs, support::random_source& random) {
    auto const expected = events_of(make, inputs, [](std::size_t) { return true; });
    CHECK(events_of(make, inputs, [](std::size_t) { return false; }) == expected);
    for (std::size_t const n : {2u, 3u, 5u})
        CHECK(events_of(make, inputs, [&](std::size_t) { return random.one_in(n); }) == expected);
}

//=== the subjects ===//

constexpr std::string_view open_packet = R"(0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000})";

// An event as a line; nothing if it concerns only the I/O layer.
template <class Event>
std::optional<std::string> shown(Event const& e) {
    if constexpr (requires { e.event; })
        return shown(e.event);
    else if (auto line = support::show(e); line != "drained")
        return line;
    else
        return std::nullopt;
}

// Drains a side, events first; calls `react` with each event after showing it.
template <class Side, class React>
lines drain(Side& side, React react) {
    lines all;
    std::string buffer;
    auto const transmits = [&] {
        if constexpr (requires { side.poll_transmit(); })
            return side.poll_transmit().has_value();
        else
            return side.poll_transmit(buffer).has_value();
    };
    for (;;) {
        if (auto e = side.poll_event()) {
            if (auto line = shown(*e)) all.push_back(*std::move(line));
            react(*e);
        } else if (!transmits()) {
            return all;
        }
    }
}
template <class Side>
lines drain(Side& side) {
    return drain(side, [](auto const&) {});
}

// A `Side` that gets inputs on one channel, or, without channels, messages.
template <class Side>
class subject_of : public subject {
public:
    template <class... Arguments>
    explicit subject_of(std::uint64_t channel, Arguments&&... arguments)
        : side_(std::forward<Arguments>(arguments)...), channel_(channel) {}

    void give(input const& i, time_point now) override {
        if (i.type == input_type::time) return side_.handle_timeout(now);
        if constexpr (requires { side_.pause(channel_); }) {
            if (i.type == input_type::closed) return side_.channel_closed(channel_, now);
            if (i.type == input_type::chunk) return side_.stream_received(channel_, i.data, now);
            side_.websocket_received(channel_, {i.kind, i.data}, now);
        } else {
            if (i.type == input_type::closed) return end(now);
            side_.message_received({i.kind, i.data}, now);
        }
    }
    lines events() override {
        return drain(side_, [this](auto& e) {
            if constexpr (requires { e.ack; }) react(e);
        });
    }
    [[nodiscard]] std::optional<time_point> timeout() const override { return side_.poll_timeout(); }

protected:
    // The application's handler: asks each connected socket something.
    virtual void react(socketio::event& e) {
        if constexpr (requires { side_.emit_with_ack(e.socket, 1s, "asked"); })
            if (e.type == socketio::event_type::connected)
                CHECK(side_.emit_with_ack(e.socket, 1s, "asked").has_value());
    }
    virtual void end(time_point) {}

    Side side_;

private:
    std::uint64_t channel_;
};

// A server session behind engineio::server: its own channel, or a candidate for an upgrade.
class engine_server final : public subject_of<engineio::server> {
public:
    engine_server(transport t, revision r, bool is_candidate) : subject_of(7, options(), support::counting_random()) {
        std::string const eio = r == revision::v3 ? "EIO=3" : "EIO=4";
        std::string query = "/engine.io/?" + eio + "&transport=";
        std::string hello = support::stream_frame("0");
        if (is_candidate) {
            side_.http_received({.exchange = 1, .target = query + "polling"}, support::start);
            auto const e = side_.poll_event();
            std::string const sid(side_.find(e->session)->id());
            drain(side_);
            query += "websocket&sid=" + sid;
            hello = support::stream_frame(R"(0{"sid":")" + sid + "\"}");
        } else {
            query += "websocket";
        }
        if (t == transport::websocket) {
            side_.websocket_opened(7, query, support::start);
        } else {
            side_.stream_opened(7, support::start);
            side_.stream_received(7, hello, support::start);
        }
        drain(side_);
    }

private:
    static engineio::server_options options() {
        engineio::server_options o;
        o.transports.insert(transport::webtransport);
        o.allow_v3 = true;
        return o;
    }
};

class engine_client final : public subject_of<engineio::client_session> {
public:
    engine_client(transport t, revision r) : subject_of(1, options(t, r)) {
        REQUIRE(side_.open(support::start));
        drain(side_);
        side_.channel_opened(1, support::start);
    }

private:
    static engineio::client_options options(transport t, revision r) {
        engineio::client_options o;
        o.transports = {t};
        o.revision = r;
        return o;
    }
};

class socketio_server final : private support::held_socketio, public subject_of<socketio::server_session> {
public:
    explicit socketio_server(socketio::revision r)
        : held_socketio{std::make_unique<socketio::server_options>(), std::make_unique<socketio::message_queue>()},
          subject_of(0, *options, *queue, r, support::start) {
        if (r == socketio::revision::v5) side_.message_received(text("0"), support::start);
        events();
    }

private:
    void react(socketio::event& e) override {
        if (e.type != socketio::event_type::connecting) return;
        CHECK(side_.accept(e.socket, "sid").has_value());
        CHECK(side_.emit_with_ack(e.socket, ++acks_, 1s, "asked").has_value());
    }
    void end(time_point now) override { side_.connection_closed(socketio::disconnect_reason::transport_close, now); }

    std::uint64_t acks_ = 0;
};

class socketio_client final : public subject_of<socketio::client_session> {
public:
    explicit socketio_client(socketio::revision r)
        : subject_of(0, socketio::client_options{.revision = r}, support::start) {
        CHECK(side_.connect().has_value());
        side_.opened(support::start);
        side_.message_received(text(R"(0{"sid":"s"})"), support::start);
        events();
    }

private:
    void end(time_point now) override { side_.closed(socketio::disconnect_reason::transport_close, now); }
};

class whole_server final : public subject_of<server> {
public:
    explicit whole_server(revision r) : subject_of(7, options(), support::counting_random(), support::start) {
        side_.websocket_opened(
            7, r == revision::v3 ? "/socket.io/?EIO=3&transport=websocket" : "/socket.io/?EIO=4&transport=websocket",
            support::start);
    }

private:
    static server_options options() {
        server_options o;
        o.engine.allow_v3 = true;
        return o;
    }
};

class whole_client final : public subject_of<client> {
public:
    explicit whole_client(revision r)
        : subject_of(1, client_options{.revision = r, .transports = {transport::websocket}, .reconnection = false},
                     support::counting_random(), support::start) {
        CHECK(side_.connect().has_value());
        events();
        side_.channel_opened(1, support::start);
        side_.websocket_received(1, text(open_packet), support::start);
        side_.websocket_received(1, text(R"(40{"sid":"s"})"), support::start);
        events();
    }
};

//=== the scripts ===//

milliseconds wait(support::random_source& random) {
    constexpr milliseconds waits[] = {0ms, 0ms, 0ms, 10ms, 600ms, 1s, 9s, 20s, 26s};
    return random.pick(waits);
}

// Messages picked from `choices` ('<' before those that are binary), times, and perhaps the end of the channel.
script draw(support::random_source& random, std::vector<std::string> const& choices) {
    script inputs;
    for (int n = random.between(1, 12); n != 0; --n) {
        if (random.one_in(5)) {
            inputs.push_back({input_type::time, {}, frame_kind::text, wait(random)});
        } else if (random.one_in(12)) {
            inputs.push_back({input_type::closed});
        } else {
            std::string const choice = random.pick(choices);
            bool const is_binary = choice.starts_with('<');
            inputs.push_back({input_type::message, is_binary ? choice.substr(1) : choice,
                              is_binary ? frame_kind::binary : frame_kind::text});
        }
    }
    return inputs;
}

// As above, but nothing follows the end.
script draw_connection(support::random_source& random, std::vector<std::string> const& choices) {
    auto inputs = draw(random, choices);
    auto const end = std::ranges::find(inputs, input_type::closed, &input::type);
    if (end != inputs.end()) inputs.erase(end + 1, inputs.end());
    return inputs;
}

// The same over a stream: each message in its frame, cut into chunks of any size.
script as_chunks(script const& messages, support::random_source& random) {
    script chunks;
    for (input const& i : messages) {
        if (i.type != input_type::message) {
            chunks.push_back(i);
            continue;
        }
        std::string rest = support::stream_frame(i.data, i.kind);
        while (!rest.empty()) {
            auto const size = random.one_in(2) ? rest.size() : 1 + random.below(rest.size());
            chunks.push_back({input_type::chunk, rest.substr(0, size), i.kind, i.later});
            rest.erase(0, size);
        }
        if (random.one_in(2) && chunks.size() > 1 && chunks[chunks.size() - 2].type == input_type::chunk) {
            chunks[chunks.size() - 2].data += chunks.back().data; // two frames in one
            chunks.pop_back();
        }
    }
    return chunks;
}

script behind(script first, script const& more) {
    first.insert(first.end(), more.begin(), more.end());
    return first;
}

constexpr int rounds = 60;

} // namespace

TEST_CASE("a server reads inputs in batches as it reads them one by one", "[batches]") {
    support::random_source random(1);
    for (int round = 0; round != rounds; ++round) {
        for (auto const r : {revision::v3, revision::v4}) {
            std::vector<std::string> choices{"4a", "4b", "4", r == revision::v3 ? "<\4x" : "<x", "bAQID", "6"};
            choices.push_back(r == revision::v3 ? "2" : "3");
            choices.push_back(r == revision::v3 ? "2" : "3");
            if (random.one_in(3)) choices.insert(choices.end(), {"1", "x"});
            auto const inputs = draw(random, choices);
            check_batches([r] { return std::make_unique<engine_server>(transport::websocket, r, false); }, inputs,
                          random);
            if (r == revision::v3) continue;
            check_batches([r] { return std::make_unique<engine_server>(transport::webtransport, r, false); },
                          as_chunks(inputs, random), random);
        }
    }
}

TEST_CASE("a candidate's probe, its upgrade and the messages behind may come in one batch", "[batches]") {
    support::random_source random(2);
    for (int round = 0; round != rounds; ++round) {
        for (auto const r : {revision::v3, revision::v4}) {
            script inputs;
            if (!random.one_in(6)) inputs.push_back({input_type::message, "2probe"});
            if (random.one_in(6)) inputs.push_back({input_type::time, {}, frame_kind::text, wait(random)});
            if (!random.one_in(6)) inputs.push_back({input_type::message, "5"});
            inputs = behind(inputs, draw(random, {"4a", "4b", r == revision::v3 ? "2" : "3"}));
            check_batches([r] { return std::make_unique<engine_server>(transport::websocket, r, true); }, inputs,
                          random);
            if (r == revision::v3) continue;
            check_batches([r] { return std::make_unique<engine_server>(transport::webtransport, r, true); },
                          as_chunks(inputs, random), random);
        }
    }
}

TEST_CASE("a client reads inputs in batches as it reads them one by one", "[batches]") {
    support::random_source random(3);
    for (int round = 0; round != rounds; ++round) {
        for (auto const r : {revision::v3, revision::v4}) {
            std::vector<std::string> choices{"4a", "4b", "4", r == revision::v3 ? "<\4x" : "<x", "bAQID", "6"};
            choices.push_back(r == revision::v3 ? "3" : "2");
            choices.push_back(r == revision::v3 ? "3" : "2");
            if (random.one_in(3)) choices.insert(choices.end(), {"1", "x"});
            auto const inputs = behind({{input_type::message, std::string(open_packet)}}, draw(random, choices));
            check_batches([r] { return std::make_unique<engine_client>(transport::websocket, r); }, inputs, random);
            if (r == revision::v3) continue;
            check_batches([r] { return std::make_unique<engine_client>(transport::webtransport, r); },
                          as_chunks(inputs, random), random);
        }
    }
}

TEST_CASE("Socket.IO sessions read messages in batches as they read them one by one", "[batches]") {
    support::random_source random(4);
    for (int round = 0; round != rounds; ++round) {
        for (auto const r : {socketio::revision::v4, socketio::revision::v5}) {
            std::vector<std::string> choices{R"(2["a",1])", R"(21["b"])", R"(31["yes"])", R"(31[])"};
            if (random.one_in(3))
                choices.insert(choices.end(), {"1", "x", R"(51-["c",{"_placeholder":true,"num":0}])", "<z"});
            auto const inputs = draw_connection(random, choices);
            check_batches([r] { return std::make_unique<socketio_server>(r); }, inputs, random);
            check_batches([r] { return std::make_unique<socketio_client>(r); }, inputs, random);
        }
    }
}

TEST_CASE("whole stacks read inputs in batches as they read them one by one", "[batches]") {
    support::random_source random(5);
    for (int round = 0; round != rounds; ++round) {
        for (auto const r : {revision::v3, revision::v4}) {
            std::vector<std::string> choices{R"(42["a",1])", R"(421["b"])", R"(431["yes"])", R"(431[])"};
            if (random.one_in(3))
                choices.insert(choices.end(), {"4x", "1", R"(451-["c",{"_placeholder":true,"num":0}])"});
            bool const v3 = r == revision::v3;
            auto of_client = choices;
            of_client.insert(of_client.end(), {v3 ? "2" : "3", "41"});
            check_batches([r] { return std::make_unique<whole_server>(r); }, draw_connection(random, of_client),
                          random);
            choices.push_back(v3 ? "3" : "2");
            check_batches([r] { return std::make_unique<whole_client>(r); }, draw_connection(random, choices), random);
        }
    }
}

TEST_CASE("too many waiting inputs close the session after those that may wait, never silently", "[batches]") {
    constexpr std::size_t too_many = max_unread_inputs + 10;
    engineio::client_session session({.transports = {transport::websocket}});
    REQUIRE(session.open(support::start));
    CHECK(drain(session).empty());
    session.channel_opened(1, support::start);
    session.websocket_received(1, text(open_packet), support::start);
    for (std::size_t i = 0; i != too_many; ++i) session.websocket_received(1, text("4a"), support::start);
    auto const said = drain(session);
    CHECK(said.size() == 1 + max_unread_inputs + 1);
    CHECK(said[1] == "message a");
    CHECK(said.back() == "closed: queue overflow");

    socketio::client_session socket({}, support::start);
    CHECK(socket.connect().has_value());
    socket.opened(support::start);
    socket.message_received(text(R"(0{"sid":"s"})"), support::start);
    for (std::size_t i = 0; i != too_many; ++i) socket.message_received(text(R"(2["a"])"), support::start);
    std::size_t events = 0;
    while (auto const e = socket.poll_event()) {
        if (e->type == socketio::event_type::event) ++events;
        if (e->type == socketio::event_type::closed) CHECK(e->reason == socketio::disconnect_reason::queue_overflow);
    }
    CHECK(events == max_unread_inputs);
    CHECK(socket.reason() == socketio::disconnect_reason::queue_overflow);

    engineio::stream_reader reader(100);
    std::string const one = support::stream_frame("4a");
    for (std::size_t i = 0; i != too_many; ++i) reader.push(one);
    std::size_t frames = 0;
    auto f = reader.next();
    for (; f && *f; f = reader.next()) ++frames;
    CHECK(frames == max_unread_inputs + 1);
    REQUIRE(f.has_value());
    CHECK(f->error().code == errc::queue_overflow);
    CHECK_FALSE(reader.next().has_value());
}

TEST_CASE("a POST is read before a breach of the rules of HTTP ends its session", "[batches]") {
    engineio::server server({}, support::counting_random());
    std::string const handshake = "/engine.io/?EIO=4&transport=polling";
    server.http_received({.exchange = 1, .target = handshake}, support::start);
    auto const opened = server.poll_event();
    REQUIRE(opened.has_value());
    std::string const target = handshake + "&sid=" + std::string(server.find(opened->session)->id());
    auto const drain = [&server] {
        lines all;
        std::string buffer;
        for (;;) {
            if (auto const e = server.poll_event())
                all.push_back(support::show(e->event));
            else if (auto const t = server.poll_transmit(buffer))
                all.push_back(support::show(*t));
            else
                return all;
        }
    };
    drain();
    std::string first = "4a\x1e"
                        "4b";
    std::string second = "4c";
    auto const get = [&](std::uint64_t id) {
        server.http_received({.exchange = id, .target = target}, support::start);
    };
    auto const post = [&](std::uint64_t id, std::string& body) {
        server.http_received({.exchange = id, .method = engineio::http_method::post, .target = target, .body = body},
                             support::start);
    };
    get(2);
    CHECK(drain().empty());
    SECTION("a GET that is given up") {
        post(3, first);
        server.http_aborted(2, support::start);
        CHECK(drain() == lines{"message a", "message b", "closed: transport error", "answer 3: 200 html ok"});
    }
    SECTION("a second GET, and what comes after it") {
        post(3, first);
        get(4);
        get(5);
        auto const said = drain();
        CHECK(said.size() == 7);
        CHECK(std::ranges::count(said, "message b") == 1);
        CHECK(std::ranges::count(said, "closed: transport error") == 1);
        CHECK(std::ranges::count(said, R"(answer 5: 400 json {"code":3,"message":"Bad request"})") == 1);
    }
    SECTION("a second POST") {
        post(3, first);
        post(4, second);
        auto const said = drain();
        CHECK(said.size() == 6);
        CHECK(std::ranges::count(said, "message b") == 1);
        CHECK(std::ranges::count(said, "message c") == 0);
        CHECK(std::ranges::count(said, R"(answer 4: 400 json {"code":3,"message":"Bad request"})") == 1);
    }
    SECTION("a POST that is given up when it has been read") {
        post(3, first);
        server.http_aborted(3, support::start);
        CHECK(drain() == lines{"message a", "message b", "closed: transport error", "answer 2: 200 text 1"});
    }
}

} // namespace network_batches_test
