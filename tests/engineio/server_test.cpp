#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/sessions.hpp"

#include <socketless/engineio/server.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace engineio_server_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace std::chrono_literals;
using support::lines;
using support::stream_frame;
using support::text;
using driver = support::server_driver;

namespace {

constexpr std::string_view polling_v4 = "EIO=4&transport=polling";
constexpr std::string_view websocket_v4 = "EIO=4&transport=websocket";

std::string refused(std::uint64_t exchange, int code) {
    constexpr std::string_view messages[] = {"Transport unknown", "Session ID unknown", "Bad handshake method",
                                             "Bad request",       "Forbidden",          "Unsupported protocol version"};
    return "answer " + std::to_string(exchange) + ": 400 json {\"code\":" + std::to_string(code) + ",\"message\":\"" +
           std::string(messages[code]) + "\"}";
}

engineio::server_options with(transport_set transports) {
    engineio::server_options options;
    options.transports = transports;
    return options;
}
engineio::server_options with_v3() {
    engineio::server_options options;
    options.allow_v3 = true;
    return options;
}
engineio::server_options with_streams() {
    return with({transport::polling, transport::websocket, transport::webtransport});
}

// Opens one more session by long-polling.
void open_polling(driver& s, std::uint64_t exchange, std::string_view query = polling_v4) {
    auto const said = s.get(exchange, query);
    REQUIRE(said.size() == 2);
    REQUIRE(said[0].ends_with("opened polling"));
    REQUIRE(said[1].find(s.sid(s.handles.size() - 1)) != std::string::npos);
}

std::string open_stream_with(std::string_view sid) {
    return stream_frame("0{\"sid\":\"" + std::string(sid) + "\"}");
}

} // namespace

//=== the checks of a request ===//

TEST_CASE("code 0: a transport that is missing, unknown or not allowed", "[server]") {
    driver s(with({transport::polling}));
    for (char const* query : {"EIO=4", "EIO=4&transport=", "EIO=4&transport=flashsocket", "EIO=4&transport=Polling",
                              "EIO=4&transport=websocket", "EIO=4&transport=webtransport"})
        CHECK(s.get(1, query) == lines{refused(1, 0)});
    CHECK(s.refusal_of_websocket("/engine.io/?EIO=4&transport=websocket") == request_error::unknown_transport);
    CHECK(s.session.size() == 0);
}

TEST_CASE("code 1: a session id that no session has", "[server]") {
    driver s;
    open_polling(s, 1);
    for (std::string const& sid : {std::string("x"), std::string(20, 'A'), s.sid() + "A", s.sid().substr(1),
                                   s.sid() + "%", s.sid() + "%4", s.sid().substr(0, 19) + "%41", std::string(100, '+')})
        CHECK(s.get(2, std::string(polling_v4) + "&sid=" + sid) == lines{refused(2, 1)});
    CHECK(s.refusal_of_websocket("/engine.io/?EIO=4&transport=websocket&sid=x") == request_error::unknown_sid);
    CHECK(s.session.size() == 1);
}

TEST_CASE("code 2: a handshake that is not a GET", "[server]") {
    driver s;
    CHECK(s.post(1, polling_v4, "4a") == lines{refused(1, 2)});
    CHECK(s.request(2, http_method::other, polling_v4) == lines{refused(2, 2)});
}

TEST_CASE("code 3: a request that does not fit", "[server]") {
    driver s(with_v3());
    CHECK(s.get(1, websocket_v4) == lines{refused(1, 3)});
    CHECK(s.refusal_of_websocket("/engine.io/?EIO=4&transport=polling") == request_error::bad_request);
    open_polling(s, 2);
    CHECK(s.get(3, s.query("websocket")) == lines{refused(3, 3)});
    CHECK(s.refusal_of_websocket("/engine.io/?" + s.query("polling")) == request_error::bad_request);
    CHECK(s.request(4, http_method::other, s.query("polling")) == lines{refused(4, 3)});
    CHECK(s.session.size() == 1);
}

TEST_CASE("code 3: an EIO that differs from that of the session", "[server]") {
    driver s(with_v3());
    open_polling(s, 1);
    open_polling(s, 2, "EIO=3&transport=polling");
    CHECK(s.get(3, s.query("polling", 0, "3")) == lines{refused(3, 3)});
    CHECK(s.post(4, s.query("polling", 1, "4"), "4a") == lines{refused(4, 3)});
    CHECK(s.get(5, "transport=polling&sid=" + s.sid()) == lines{refused(5, 3)});
    CHECK(s.get(6, s.query("polling", 0, "5")) == lines{refused(6, 3)});
    CHECK(s.refusal_of_websocket("/engine.io/?" + s.query("websocket", 0, "3")) == request_error::bad_request);
    CHECK(s.get(7, s.query("polling")).empty()); // the session goes on
}

TEST_CASE("without an EIO that is 4 a request is of revision 3, where that is served", "[server]") {
    driver s(with_v3());
    std::uint64_t exchange = 0;
    for (char const* eio : {"", "EIO=3&", "EIO=&", "EIO=5&", "EIO=44&", "EIO=4&EIO=x&"})
        open_polling(s, ++exchange, eio + std::string("transport=polling"));
    for (std::size_t nth = 0; nth != 6; ++nth) {
        CHECK(s.session.find(s.handles[nth])->revision() == revision::v3);
        CHECK(s.post(10 + nth, "transport=polling&sid=" + s.sid(nth), "1:2").size() == 1); // "ok"
    }
    open_polling(s, 20, "EIO=3&EIO=4&transport=polling");
    CHECK(s.session.find(s.handles[6])->revision() == revision::v4);
    s.open_websocket(7, "transport=websocket");
    CHECK(s.session.find(s.handles[7])->revision() == revision::v3);
}

TEST_CASE("a sid is read decoded, and an empty one asks for a session", "[server]") {
    driver s;
    open_polling(s, 1);
    std::string encoded;
    for (char const c : s.sid()) {
        constexpr std::string_view digits = "0123456789ABCDEF";
        encoded += {'%', digits[static_cast<unsigned char>(c) / 16], digits[static_cast<unsigned char>(c) % 16]};
    }
    CHECK(s.post(2, "%45IO=%34&transport=poll%69ng&sid=x&s%69d=" + encoded, "4a") ==
          lines{"0 message a", "answer 2: 200 html ok"});
    CHECK(s.get(3, std::string(polling_v4) + "&sid=" + s.sid() + "&sid=" + encoded).empty());
    open_polling(s, 4, std::string(polling_v4) + "&sid=");
    open_polling(s, 5, std::string(polling_v4) + "&sid=" + s.sid() + "&sid");
    CHECK(s.session.size() == 3);
}

TEST_CASE("code 3: long-polling after the upgrade", "[server]") {
    driver s;
    open_polling(s, 1);
    s.open_websocket(7, s.query("websocket"));
    s.websocket(7, "2probe");
    CHECK(s.websocket(7, "5") == lines{"0 upgraded to websocket"});
    CHECK(s.get(2, s.query("polling")) == lines{refused(2, 3)});
    CHECK(s.post(3, s.query("polling"), "4a") == lines{refused(3, 3)});
    CHECK(s.websocket(7, "4hi") == lines{"0 message hi"});
}

TEST_CASE("code 3: long-polling with a session that opened over WebSocket", "[server]") {
    driver s;
    s.open_websocket(7, websocket_v4);
    CHECK(s.get(1, s.query("polling")) == lines{refused(1, 3)});
}

TEST_CASE("code 5: a revision that is not served", "[server]") {
    driver s;
    for (char const* query : {"transport=polling", "EIO=&transport=polling", "EIO=5&transport=polling",
                              "EIO=2&transport=polling", "EIO=44&transport=polling", "EIO=3&transport=polling"})
        CHECK(s.get(1, query) == lines{refused(1, 5)});
    CHECK(s.refusal_of_websocket("/engine.io/?EIO=3&transport=websocket") ==
          request_error::unsupported_protocol_version);
    driver v3(with_v3());
    open_polling(v3, 1, "EIO=3&transport=polling");
}

TEST_CASE("the checks come in the order of their codes", "[server]") {
    driver s;
    CHECK(s.post(1, "EIO=9&transport=x&sid=x", "") == lines{refused(1, 0)});
    CHECK(s.post(2, "EIO=9&transport=websocket&sid=x", "") == lines{refused(2, 1)});
    CHECK(s.post(3, "EIO=9&transport=websocket", "") == lines{refused(3, 2)});
    CHECK(s.get(4, "EIO=9&transport=websocket") == lines{refused(4, 3)});
    CHECK(s.post(5, "EIO=9&transport=polling", "") == lines{refused(5, 2)});
    CHECK(s.get(6, "EIO=9&transport=polling") == lines{refused(6, 5)});
}

//=== what the application learns of a request, and decides ===//

TEST_CASE("a target under another path is not the protocol's: 404", "[server]") {
    for (char const* own : {"/engine.io/", "/engine.io", "engine.io"}) {
        engineio::server_options options;
        options.path = own;
        driver s(options);
        for (char const* path : {"/engine.io", "/engine.io/", "/engine.io/x", "/engine.io//", "/engine.io/../a"}) {
            auto const target = path + ("?" + std::string(polling_v4));
            CHECK(s.session.takes(target));
            CHECK(s.session.takes(path));
            auto const before = s.session.size();
            s.exchanges.insert(1);
            s.after([&] { s.session.http_received({.exchange = 1, .target = target}, s.now); });
            CHECK(s.session.size() == before + 1);
        }
        auto const before = s.session.size();
        for (char const* path : {"/", "/engine.iox", "/engine.ioxx/", "//engine.io/", "/x/engine.io/", "/Engine.io/",
                                 "/engine%2eio/", "/engine", "/socket.io/"}) {
            auto const target = path + ("?" + std::string(polling_v4));
            CHECK_FALSE(s.session.takes(target));
            s.exchanges.insert(1);
            CHECK(s.after([&] { s.session.http_received({.exchange = 1, .target = target}, s.now); }) ==
                  lines{R"(answer 1: 404 json {"code":3,"message":"Bad request"})"});
            auto const refused = s.session.websocket_refusal(path + ("?" + std::string(websocket_v4)));
            REQUIRE(refused.has_value());
            CHECK(refused->status == 404);
            CHECK(refused->code == request_error::bad_request);
        }
        CHECK(s.session.size() == before);
    }
    engineio::server_options options;
    options.path = "/";
    driver everywhere(options);
    CHECK(everywhere.session.takes("/anything?at=all"));
    CHECK(everywhere.session.takes("/"));
    CHECK_FALSE(everywhere.session.takes(""));
    CHECK_FALSE(everywhere.session.takes("*"));
}

TEST_CASE("the request with which a session began is kept as long as that", "[server]") {
    driver s(with_streams());
    std::string target = "/engine.io/?EIO=4&token=a%20b&transport=polling&token=c%26";
    s.exchanges.insert(1);
    s.after([&] { s.session.http_received({.exchange = 1, .target = target, .context = 17}, s.now); });
    target.assign(target.size(), 'x');
    auto const kept = s.session.handshake(s.handles[0]);
    CHECK(kept.path == "/engine.io/");
    CHECK(kept.query.raw() == "EIO=4&token=a%20b&transport=polling&token=c%26");
    CHECK(kept.query.get("token") == "c&");
    CHECK(kept.context == 17);

    // The requests that follow change nothing.
    s.get(2, s.query("polling") + "&token=other");
    s.open_websocket(7, s.query("websocket") + "&token=other");
    s.websocket(7, "2probe");
    s.websocket(7, "5");
    CHECK(s.session.handshake(s.handles[0]).query.get("token") == "c&");
    CHECK(s.session.find(s.handles[0])->handshake().context == 17);
    s.cut(7);
    CHECK(s.session.handshake(s.handles[0]).query.raw().empty());
    CHECK(s.session.handshake(s.handles[0]).context == 0);

    s.channels.insert(8);
    s.after([&] {
        s.session.websocket_opened(
            {.channel = 8, .target = "/engine.io/x?EIO=4&transport=websocket&room=1", .context = 18}, s.now);
    });
    CHECK(s.session.handshake(s.handles[1]).path == "/engine.io/x");
    CHECK(s.session.handshake(s.handles[1]).query.get("room") == "1");
    CHECK(s.session.handshake(s.handles[1]).context == 18);

    s.channels.insert(9);
    s.after([&] { s.session.stream_opened(9, s.now, 19); });
    s.stream(9, stream_frame("0"));
    CHECK(s.session.handshake(s.handles[2]).path.empty());
    CHECK(s.session.handshake(s.handles[2]).context == 19);
}

TEST_CASE("a target longer than max_target is a bad request", "[server]") {
    engineio::server_options options;
    options.max_target = 60;
    driver s(options);
    open_polling(s, 1, std::string(polling_v4) + "&x=" + std::string(60 - 12 - 23 - 3, 'x'));
    CHECK(s.get(2, std::string(polling_v4) + "&x=" + std::string(61 - 12 - 23 - 3, 'x')) == lines{refused(2, 3)});
    CHECK(s.refusal_of_websocket("/engine.io/?EIO=4&transport=websocket&x=" + std::string(60, 'x')) ==
          request_error::bad_request);
    CHECK(s.get(3, s.query("polling")).empty());
}

TEST_CASE("code 4: the application does not allow the request", "[server]") {
    std::vector<std::string> asked;
    engineio::server_options options;
    options.allow_request = [&](handshake_request const& r) -> request_verdict {
        asked.push_back(std::string(r.path) + ' ' + r.query.get("token").value_or("-") + ' ' +
                        std::to_string(r.context));
        if (r.query.get("token") == "good") return true;
        if (r.query.get("token") == "old") return forbidden{"too \"old\""};
        return false;
    };
    driver s(options);
    std::string const plain = R"(: 403 json {"code":4,"message":"Forbidden"})";
    CHECK(s.get(1, polling_v4) == lines{"answer 1" + plain});
    CHECK(s.get(2, std::string(polling_v4) + "&token=old") ==
          lines{R"(answer 2: 403 json {"code":4,"message":"too \"old\""})"});
    CHECK(s.get(3, "transport=polling&token=bad") == lines{"answer 3" + plain}); // before the revision is looked at
    CHECK(asked == std::vector<std::string>{"/engine.io/ - 0", "/engine.io/ old 0", "/engine.io/ bad 0"});
    CHECK(s.session.size() == 0);

    // Those that the protocol refuses before, and those of a session, are not asked of.
    asked.clear();
    open_polling(s, 4, std::string(polling_v4) + "&token=good");
    CHECK(asked.size() == 1);
    s.get(5, "EIO=4&token=good");
    s.get(6, "EIO=4&transport=polling&sid=x");
    s.post(7, polling_v4, "4a");
    s.get(8, websocket_v4);
    CHECK(s.get(9, s.query("polling")).empty());
    s.open_websocket(7, s.query("websocket"));
    CHECK(asked.size() == 1);

    // A WebSocket is asked of when it is checked, and when it opens unchecked.
    std::string const target = "/engine.io/?" + std::string(websocket_v4);
    asked.clear();
    auto const refused = s.session.websocket_refusal(target + "&token=old", 5);
    REQUIRE(refused.has_value());
    CHECK(refused->code == request_error::forbidden);
    CHECK(refused->status == 403);
    CHECK(refused->body() == R"({"code":4,"message":"too \"old\""})");
    CHECK(asked == std::vector<std::string>{"/engine.io/ old 5"});
    CHECK(s.open_websocket(8, websocket_v4) == lines{"close 8"});
    CHECK(asked.size() == 2);
    CHECK_FALSE(s.session.websocket_refusal(target + "&token=good").has_value());
    s.channels.insert(9);
    auto const opened = s.after([&] {
        auto const good = target + "&token=good";
        s.session.websocket_opened({.channel = 9, .target = good, .is_checked = true}, s.now);
    });
    CHECK(opened.front().ends_with("opened websocket"));
    CHECK(asked.size() == 3);
}

TEST_CASE("words for a refusal that are not UTF-8 are not sent", "[server]") {
    engineio::server_options options;
    options.allow_request = [](handshake_request const&) { return forbidden{"\xff"}; };
    driver s(options);
    CHECK(s.get(1, polling_v4) == lines{R"(answer 1: 403 json {"code":4,"message":"Forbidden"})"});
}

static_assert(!std::is_constructible_v<request_verdict, char const*>); // it would be true

#ifdef __cpp_exceptions
TEST_CASE("a question to the application that throws leaves nothing behind", "[server]") {
    bool throws = true;
    engineio::server_options options;
    options.allow_request = [&](handshake_request const&) {
        if (throws) throw std::runtime_error("no database");
        return true;
    };
    driver s(options);
    std::string const target = "/engine.io/?EIO=4&transport=";
    for (int i = 0; i != 3; ++i) {
        CHECK_THROWS(s.session.http_received({.exchange = 1, .target = target + "polling"}, s.now));
        CHECK_THROWS(static_cast<void>(s.session.websocket_refusal(target + "websocket")));
        CHECK_THROWS(s.session.websocket_opened(7, target + "websocket", s.now));
    }
    CHECK(s.session.size() == 0);
    CHECK(s.drain().empty());
    throws = false;
    open_polling(s, 1);
    CHECK(s.session.size() == 1);
}
#endif

TEST_CASE("events of connections say what was refused, opened, moved and closed, and why", "[server]") {
    auto options = with_streams();
    options.max_connection_events = 100;
    options.max_payload = 12;
    driver s(options);
    auto const told = [&] {
        lines all;
        while (auto const e = s.session.poll_connection_event()) {
            CHECK(e->dropped == 0);
            std::string line = std::string(name(e->type)) + ' ' + std::to_string(e->context);
            if (e->type == connection_event_type::refused)
                line += ": " + std::to_string(e->id) + ' ' + std::to_string(static_cast<int>(e->code)) + ' ' +
                        std::to_string(e->status);
            else if (e->type == connection_event_type::closed)
                line += ": " + std::string(name(e->reason)) + (e->error ? ", " + std::string(name(*e->error)) : "");
            else
                line += ": " + std::string(name(e->transport));
            all.push_back(line);
        }
        return all;
    };
    auto const http = [&](std::uint64_t exchange, http_method method, std::string const& target, std::string body,
                          std::uint64_t context) {
        s.exchanges.insert(exchange);
        s.after([&] {
            s.session.http_received(
                {.exchange = exchange, .method = method, .target = target, .body = body, .context = context}, s.now);
        });
    };
    std::string const base = "/engine.io/?";
    http(1, http_method::get, base + std::string(polling_v4), "", 21);
    http(2, http_method::get, "/other/", "", 22);
    http(3, http_method::get, base + "EIO=3&transport=polling", "", 23);
    http(4, http_method::post, base + s.query("polling"), "4567890123456", 24);
    http(5, http_method::other, base + s.query("polling"), "", 25);
    CHECK(told() == lines{"opened 21: polling", "refused 22: 2 3 404", "refused 23: 3 5 400", "refused 24: 4 3 413",
                          "refused 25: 5 3 400"});

    CHECK(s.session.websocket_refusal(base + std::string(polling_v4), 26).has_value());
    s.open_websocket(7, "EIO=4&transport=websocket&sid=x");
    s.open_websocket(8, s.query("websocket"));
    s.open_websocket(9, s.query("websocket")); // a second candidate
    s.websocket(8, "2probe");
    s.websocket(8, "5");
    s.websocket(8, "4hi");
    s.websocket(8, "x");
    CHECK(told() == lines{"refused 26: 0 3 400", "refused 0: 7 1 400", "refused 0: 9 3 400", "upgraded 21: websocket",
                          "closed 21: parse error, unknown_packet_type"});

    s.channels.insert(10);
    s.after([&] { s.session.stream_opened(10, s.now, 27); });
    s.stream(10, stream_frame("4"));
    s.channels.insert(11);
    s.after([&] { s.session.stream_opened(11, s.now, 28); });
    s.stream(11, open_stream_with("x"));
    s.channels.insert(12);
    s.after([&] { s.session.stream_opened(12, s.now, 29); });
    s.at(10'000);
    s.channels.insert(13);
    s.after([&] { s.session.stream_opened(13, s.now, 30); });
    s.stream(13, stream_frame("0"));
    s.stream(13, stream_frame("1"));
    CHECK(told() == lines{"refused 27: 10 3 400", "refused 28: 11 1 400", "refused 29: 12 3 400",
                          "opened 30: webtransport", "closed 30: transport close"});
}

TEST_CASE("events of connections are bounded, counted when dropped, and not made unless asked for", "[server]") {
    driver quiet;
    quiet.get(1, "");
    open_polling(quiet, 2);
    CHECK_FALSE(quiet.session.poll_connection_event().has_value());

    engineio::server_options options;
    options.max_connection_events = 2;
    driver s(options);
    for (std::uint64_t exchange = 1; exchange != 6; ++exchange) s.get(exchange, "");
    for (std::uint64_t id : {1u, 2u}) {
        auto const e = s.session.poll_connection_event();
        REQUIRE(e.has_value());
        CHECK(e->id == id);
        CHECK(e->dropped == 0);
    }
    CHECK_FALSE(s.session.poll_connection_event().has_value());
    s.get(6, "");
    auto const next = s.session.poll_connection_event();
    REQUIRE(next.has_value());
    CHECK(next->id == 6);
    CHECK(next->dropped == 3);
}

//=== sessions are found and told apart ===//

TEST_CASE("each request and each channel goes to the session that it names", "[server]") {
    driver s;
    open_polling(s, 1);
    open_polling(s, 2);
    s.open_websocket(7, websocket_v4);
    CHECK(s.session.size() == 3);
    CHECK(s.get(3, s.query("polling", 1)).empty());
    CHECK(s.post(4, s.query("polling", 0), "4a") == lines{"0 message a", "answer 4: 200 html ok"});
    CHECK(s.send("b", 1) == lines{"answer 3: 200 text 4b"});
    CHECK(s.send("c", 2) == lines{"send 7: 4c"});
    CHECK(s.websocket(7, "4d") == lines{"2 message d"});
    CHECK(s.websocket(8, "4nobody's").empty());
    CHECK(s.cut(7) == lines{"2 closed: transport close"});
    CHECK(s.session.size() == 2);
}

TEST_CASE("a handle never names another session than its own", "[server]") {
    driver s;
    s.open_websocket(7, websocket_v4);
    auto const old = s.handles[0];
    auto const old_sid = s.sid();
    s.cut(7);
    CHECK(s.session.find(old) == nullptr);
    CHECK(s.session.send(old, text("a")) == error{errc::not_open});
    s.open_websocket(8, websocket_v4);
    CHECK(s.handles[1].index == old.index);
    CHECK_FALSE(s.handles[1] == old);
    CHECK(s.session.find(old) == nullptr);
    CHECK(s.session.send(old, text("a")) == error{errc::not_open});
    CHECK(s.session.send_volatile(old, text("a")) == error{errc::not_open});
    CHECK(s.after([&] {
               s.session.close(old, s.now);
               s.session.abort(old);
           }).empty());
    CHECK(s.get(1, std::string(polling_v4) + "&sid=" + old_sid) == lines{refused(1, 1)});
    CHECK(s.session.find(session_handle{99, 0}) == nullptr);
}

TEST_CASE("names of exchanges and channels may be used again", "[server]") {
    driver s(with_streams());
    for (int i = 0; i != 3; ++i) {
        auto const nth = s.handles.size();
        open_polling(s, 1);
        CHECK(s.get(1, s.query("polling", nth)).empty());
        CHECK(s.post(2, s.query("polling", nth), "1").size() == 3);
        s.open_websocket(1, websocket_v4);
        CHECK(s.websocket(1, "1").size() == 2);
        s.open_stream(1);
        s.cut(1);
        CHECK(s.exchanges.empty());
        CHECK(s.session.size() == 0);
    }
    // The time of a stream that is gone is not that of the next one with its name.
    s.at(9'000);
    s.open_stream(1);
    CHECK(s.at(18'999).empty());
    CHECK(s.at(19'000) == lines{"close 1"});
}

TEST_CASE("session ids are 120 bits of the caller's randomness as base64url", "[server]") {
    STATIC_REQUIRE(session_id{}.size() * 6 >= 120);
    unsigned char fill = 0xff;
    driver s({}, [&](std::span<std::byte> bytes) {
        CHECK(bytes.size() * 8 >= 120);
        std::ranges::fill(bytes, static_cast<std::byte>(fill));
        fill = 0xfb;
    });
    s.open_websocket(7, websocket_v4);
    CHECK(s.sid() == "____________________");
    s.open_websocket(8, websocket_v4);
    CHECK(s.sid(1) == "-_v7-_v7-_v7-_v7-_v7");
}

TEST_CASE("session ids are unique, even where the randomness is not", "[server]") {
    support::random_source random(1);
    driver s({},
             [&](std::span<std::byte> bytes) { std::ranges::fill(bytes, static_cast<std::byte>(random.below(40))); });
    std::set<std::string> sids;
    for (std::uint64_t i = 0; i != 30; ++i) {
        s.open_websocket(i, websocket_v4);
        CHECK(sids.insert(s.sid(i)).second);
        CHECK(s.sid(i).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
              std::string::npos);
    }
}

//=== bodies ===//

TEST_CASE("a body over max_payload is answered with 413, and the session lives on", "[server]") {
    engineio::server_options options;
    options.max_payload = 10;
    driver s(options);
    open_polling(s, 1);
    CHECK(s.get(2, s.query("polling")).empty());
    CHECK(s.post(3, s.query("polling"), "4123456789") == lines{"0 message 123456789", "answer 3: 200 html ok"});
    CHECK(s.post(4, s.query("polling"), "41234567890") == lines{"answer 4: 413"});
    CHECK(s.post(5, s.query("polling"),
                 "4\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
                 "1") == lines{"answer 5: 413"}); // bytes, not characters
    CHECK(s.send("still here") == lines{"answer 2: 200 text 4still here"});
}

TEST_CASE("CVE-2026-59725: a v4 POST of application/octet-stream is answered 400, once, and closes the session",
          "[server][hostile]") {
    driver s;
    open_polling(s, 1);
    s.get(2, s.query("polling"));
    CHECK(s.request(3, http_method::post, s.query("polling"), "4a", true) ==
          lines{"0 closed: transport error", refused(3, 3), "answer 2: 200 text 1"});
    CHECK(s.exchanges.empty());
    CHECK(s.session.size() == 0);
}

TEST_CASE("v3: a POST of application/octet-stream is a binary body", "[server]") {
    driver s(with_v3());
    open_polling(s, 1, "EIO=3&transport=polling");
    CHECK(s.request(2, http_method::post, s.query("polling", 0, "3"),
                    std::string_view("\0\x02\xff"
                                     "4a",
                                     5),
                    true) == lines{"0 message a", "answer 2: 200 html ok"});
    CHECK(s.post(3, s.query("polling", 0, "3"), "2:4b") == lines{"0 message b", "answer 3: 200 html ok"});
}

TEST_CASE("b64 in the target of an upgrade asks for base64 on that channel alone", "[server]") {
    for (char const* eio : {"3", "4"}) {
        driver s(with_v3());
        open_polling(s, 1, "transport=polling&EIO=" + std::string(eio));
        s.open_websocket(7, s.query("websocket", 0, eio) + "&b64=1");
        s.websocket(7, "2probe");
        s.websocket(7, "5");
        auto const b = support::binary("\x01");
        auto const sent = s.after([&] { REQUIRE(s.session.send(s.handles[0], b).has_value()); });
        CHECK(sent == lines{*eio == '3' ? "send 7: b4AQ==" : "send 7: bAQ=="});
        open_polling(s, 2, "transport=polling&b64=1&EIO=" + std::string(eio));
        s.open_websocket(8, s.query("websocket", 1, eio));
        s.websocket(8, "2probe");
        s.websocket(8, "5");
        auto const own = s.after([&] { REQUIRE(s.session.send(s.handles[1], b).has_value()); });
        CHECK(own.front().find("AQ==") == std::string::npos);
    }
}

TEST_CASE("v3: b64 in the handshake asks for bodies of text", "[server]") {
    driver s(with_v3());
    open_polling(s, 1, "EIO=3&transport=polling&b64=1");
    CHECK(s.after([&] { REQUIRE(s.session.send(s.handles[0], support::binary("\x01")).has_value()); }).empty());
    CHECK(s.get(2, s.query("polling", 0, "3")) == lines{"answer 2: 200 text 6:b4AQ=="});
}

//=== exchanges out of turn ===//

TEST_CASE("a second GET is answered with 400, the pending one with 1", "[server]") {
    driver s;
    open_polling(s, 1);
    s.get(2, s.query("polling"));
    CHECK(s.get(3, s.query("polling")) == lines{"0 closed: transport error", refused(3, 3), "answer 2: 200 text 1"});
    CHECK(s.session.size() == 0);
    CHECK(s.get(4, std::string(polling_v4) + "&sid=x") == lines{refused(4, 1)});
}

TEST_CASE("an aborted GET closes the session, an aborted exchange of nobody does nothing", "[server]") {
    driver s;
    open_polling(s, 1);
    s.get(2, s.query("polling"));
    CHECK(s.abort(1).empty());
    CHECK(s.abort(2) == lines{"0 closed: transport error"});
    CHECK(s.abort(2).empty());
    CHECK(s.exchanges.empty());
}

//=== a POST whose body is on its way ===//

TEST_CASE("a POST that is told of before its body is there is taken like any other", "[server]") {
    driver s;
    open_polling(s, 1);
    for (std::uint64_t exchange = 2; exchange != 5; ++exchange) {
        CHECK(s.begin_post(exchange, s.query("polling")).empty());
        CHECK(s.post(exchange, s.query("polling"), "4a") ==
              lines{"0 message a", "answer " + std::to_string(exchange) + ": 200 html ok"});
        CHECK(s.abort(exchange).empty()); // it has been answered
    }
    CHECK(s.post(5, s.query("polling"), "4b") == lines{"0 message b", "answer 5: 200 html ok"});
    CHECK(s.session.size() == 1);
}

TEST_CASE("a second POST that begins while the first is read closes the session, and both are answered with 400",
          "[server][hostile]") {
    driver s;
    open_polling(s, 1);
    auto const query = s.query("polling");
    s.get(2, query);
    s.begin_post(3, query);
    CHECK(s.begin_post(4, query) == lines{"0 closed: transport error", "answer 2: 200 text 1"});
    CHECK(s.session.size() == 0);
    CHECK(s.post(4, query, "4a") == lines{refused(4, 1)});
    CHECK(s.post(3, query, "4b") == lines{refused(3, 1)});
    CHECK(s.exchanges.empty());
}

TEST_CASE("a second POST that comes while the first is read does so too, however long it is", "[server][hostile]") {
    engineio::server_options options;
    options.max_payload = 10;
    for (std::string_view const body : {"4a", "41234567890"}) {
        driver s(options);
        open_polling(s, 1);
        auto const query = s.query("polling");
        s.begin_post(2, query);
        CHECK(s.post(3, query, body) == lines{"0 closed: transport error", refused(3, 3)});
        CHECK(s.session.size() == 0);
        CHECK(s.post(2, query, "4b") == lines{refused(2, 1)});
        CHECK(s.exchanges.empty());
    }
}

TEST_CASE("POSTs of two sessions may be read at once", "[server]") {
    driver s;
    open_polling(s, 1);
    open_polling(s, 2);
    CHECK(s.begin_post(3, s.query("polling", 0)).empty());
    CHECK(s.begin_post(4, s.query("polling", 1)).empty());
    CHECK(s.post(4, s.query("polling", 1), "4b") == lines{"1 message b", "answer 4: 200 html ok"});
    CHECK(s.post(3, s.query("polling", 0), "4a") == lines{"0 message a", "answer 3: 200 html ok"});
}

TEST_CASE("a POST that is given up half-way closes the session", "[server]") {
    driver s;
    open_polling(s, 1);
    s.get(2, s.query("polling"));
    s.begin_post(3, s.query("polling"));
    CHECK(s.abort(3) == lines{"0 closed: transport error", "answer 2: 200 text 1"});
    CHECK(s.abort(3).empty());
    CHECK(s.session.size() == 0);
}

TEST_CASE("a POST over max_payload that was told of is answered with 413, and the session lives on", "[server]") {
    engineio::server_options options;
    options.max_payload = 10;
    driver s(options);
    open_polling(s, 1);
    s.begin_post(2, s.query("polling"));
    CHECK(s.post(2, s.query("polling"), "41234567890") == lines{"answer 2: 413"});
    CHECK(s.abort(2).empty());
    CHECK(s.begin_post(3, s.query("polling")).empty());
    CHECK(s.post(3, s.query("polling"), "4a") == lines{"0 message a", "answer 3: 200 html ok"});
}

TEST_CASE("the head of a request that is no POST of a session changes nothing", "[server]") {
    driver s;
    open_polling(s, 1);
    auto const unknown = std::string(polling_v4) + "&sid=x";
    CHECK(s.begin_post(2, unknown).empty());
    CHECK(s.post(2, unknown, "4a") == lines{refused(2, 1)});
    CHECK(s.begin_post(3, unknown).empty());
    CHECK(s.abort(3).empty());
    CHECK(s.begin_post(4, polling_v4).empty());
    CHECK(s.post(4, polling_v4, "4a") == lines{refused(4, 2)});
    CHECK(s.begin_post(5, s.query("websocket")).empty());
    CHECK(s.begin(6, http_method::other, s.query("polling")).empty());
    CHECK(s.begin(7, http_method::get, s.query("polling")).empty());
    CHECK(s.abort(7).empty());
    CHECK(s.begin(8, http_method::get, s.query("polling")).empty());
    CHECK(s.get(8, s.query("polling")).empty());
    CHECK(s.post(9, s.query("polling"), "4a") == lines{"0 message a", "answer 9: 200 html ok"});
    CHECK(s.send("b") == lines{"answer 8: 200 text 4b"});
}

TEST_CASE("a session that closes forgets the POST that is on its way, which then concerns no other", "[server]") {
    driver s;
    open_polling(s, 1);
    for (bool const is_given_up : {false, true}) {
        auto const nth = s.handles.size() - 1;
        auto const old = s.query("polling", nth);
        s.begin_post(2, old);
        s.after([&] { s.session.abort(s.handles[nth]); });
        REQUIRE(s.session.size() == 0);
        open_polling(s, 3); // in the place of the one that has closed
        REQUIRE(s.handles[nth + 1].index == s.handles[nth].index);
        CHECK(s.begin_post(4, s.query("polling", nth + 1)).empty());
        CHECK((is_given_up ? s.abort(2) : s.post(2, old, "4a")) == (is_given_up ? lines{} : lines{refused(2, 1)}));
        CHECK(s.post(4, s.query("polling", nth + 1), "4b") == lines{"0 message b", "answer 4: 200 html ok"});
    }
    CHECK(s.exchanges.empty());
}

TEST_CASE("a session that has moved to a WebSocket loses nothing with a POST that is given up", "[server]") {
    driver s;
    open_polling(s, 1);
    auto const query = s.query("polling");
    s.begin_post(2, query);
    s.open_websocket(7, s.query("websocket"));
    s.websocket(7, "2probe");
    CHECK(s.websocket(7, "5") == lines{"0 upgraded to websocket"});
    CHECK(s.abort(2).empty());
    CHECK(s.begin_post(3, query).empty());
    CHECK(s.post(3, query, "4a") == lines{refused(3, 3)});
    CHECK(s.websocket(7, "4hi") == lines{"0 message hi"});
}

//=== channels ===//

TEST_CASE("a WebSocket without sid opens a session, with one it is a candidate", "[server]") {
    driver s;
    CHECK_FALSE(s.session.websocket_refusal("/engine.io/?EIO=4&transport=websocket").has_value());
    CHECK(s.open_websocket(7, websocket_v4).front() == "0 opened websocket");
    open_polling(s, 1);
    CHECK_FALSE(s.session.websocket_refusal("/engine.io/?" + s.query("websocket", 1)).has_value());
    CHECK(s.open_websocket(8, s.query("websocket", 1)).empty());
    CHECK(s.websocket(8, "2probe") == lines{"1 upgrading to websocket", "send 8: 3probe"});
    CHECK(s.session.size() == 2);
}

TEST_CASE("a WebSocket that would be refused is closed if it is opened all the same", "[server]") {
    driver s;
    CHECK(s.open_websocket(7, polling_v4) == lines{"close 7"});
    CHECK(s.open_websocket(8, "EIO=4&transport=websocket&sid=x") == lines{"close 8"});
    CHECK(s.websocket(8, "2probe").empty());
    CHECK(s.cut(8).empty());
}

TEST_CASE("a second candidate, and one for an upgraded session, is closed at once", "[server]") {
    driver s;
    open_polling(s, 1);
    s.open_websocket(7, s.query("websocket"));
    CHECK(s.open_websocket(8, s.query("websocket")) == lines{"close 8"});
    CHECK(s.websocket(8, "2probe").empty());
    s.websocket(7, "2probe");
    CHECK(s.websocket(7, "5") == lines{"0 upgraded to websocket"});
    CHECK(s.open_websocket(9, s.query("websocket")) == lines{"close 9"});
    CHECK(s.websocket(7, "4hi") == lines{"0 message hi"});
}

TEST_CASE("a stream opens a session with 0", "[server]") {
    driver s(with_streams());
    CHECK(s.open_stream(7).empty());
    CHECK(s.session.size() == 0);
    CHECK(s.stream(7, "\x01").empty());
    auto const said = s.stream(7, "0" + stream_frame("4a"));
    REQUIRE(said.size() == 3);
    CHECK(said[0] == "0 opened webtransport");
    CHECK(said[1] == "0 message a");
    CHECK(said[2].find("\"sid\":\"" + s.sid() + "\",\"upgrades\":[]") != std::string::npos);
    CHECK(s.stream(7, stream_frame("4b")) == lines{"0 message b"});
    CHECK(s.cut(7) == lines{"0 closed: transport close"});
}

TEST_CASE("a stream joins a session with {\"sid\":...} and upgrades it", "[server]") {
    driver s(with_streams());
    open_polling(s, 1);
    s.open_stream(7);
    CHECK(s.stream(7, open_stream_with(s.sid())).empty());
    CHECK(s.stream(7, stream_frame("2probe")) ==
          lines{"0 upgrading to webtransport", "send 7: " + stream_frame("3probe")});
    CHECK(s.get(2, s.query("polling")).empty());
    CHECK(s.at(100) == lines{"answer 2: 200 text 6"});
    CHECK(s.stream(7, stream_frame("5")) == lines{"0 upgraded to webtransport"});
    CHECK(s.session.size() == 1);
}

TEST_CASE("a stream may write the sid that it joins with escapes", "[server]") {
    driver s(with_streams());
    open_polling(s, 1);
    std::string escaped = s.sid().substr(1);
    escaped.insert(0, std::string("\\u00") + "0123456789abcdef"[static_cast<unsigned>(s.sid()[0]) >> 4U] +
                          "0123456789abcdef"[static_cast<unsigned>(s.sid()[0]) & 0xfU]);
    s.open_stream(7);
    CHECK(s.stream(7, open_stream_with(escaped)).empty());
    CHECK(s.stream(7, stream_frame("2probe")) ==
          lines{"0 upgrading to webtransport", "send 7: " + stream_frame("3probe")});
}

TEST_CASE("a stream that begins with anything else is closed", "[server]") {
    driver s(with_streams());
    open_polling(s, 1);
    for (std::string const& first :
         {stream_frame("4a"), stream_frame("2probe"), stream_frame("x"), stream_frame("0{"), stream_frame("0null"),
          stream_frame("0{}"), stream_frame("0{\"sid\":1}"), stream_frame("0\"sid\""), std::string(1, '\0'),
          stream_frame("0", frame_kind::binary), open_stream_with("x"), open_stream_with(""),
          std::string("\x7f\0\0\0\0\xff\0\0\0", 9)}) {
        INFO(support::to_hex(first));
        s.open_stream(7);
        CHECK(s.stream(7, first) == lines{"close 7"});
        CHECK(s.stream(7, stream_frame("4a")).empty());
    }
    CHECK(s.session.size() == 1);
}

TEST_CASE("a stream that says nothing is closed after upgrade_timeout", "[server]") {
    driver s(with_streams());
    s.open_stream(7);
    s.at(5'000);
    s.open_stream(8);
    s.stream(8, "\x01");
    CHECK(s.at(9'999).empty());
    CHECK(s.at(10'000) == lines{"close 7"});
    CHECK(s.at(15'000) == lines{"close 8"});
    CHECK_FALSE(s.session.poll_timeout().has_value());
}

TEST_CASE("streams that are not allowed are closed", "[server]") {
    driver s;
    CHECK(s.open_stream(7) == lines{"close 7"});
    CHECK(s.stream(7, stream_frame("0")).empty());
}

TEST_CASE("a stream cannot join a session of revision 3", "[server]") {
    auto options = with_streams();
    options.allow_v3 = true;
    driver s(options);
    open_polling(s, 1, "EIO=3&transport=polling");
    s.open_stream(7);
    CHECK(s.stream(7, open_stream_with(s.sid())) == lines{"close 7"});
}

TEST_CASE("pausing a channel holds back its session only", "[server]") {
    driver s;
    s.open_websocket(7, websocket_v4);
    s.open_websocket(8, websocket_v4);
    s.session.pause(7);
    s.session.pause(99);
    CHECK(s.send("a", 0).empty());
    CHECK(s.send("b", 1) == lines{"send 8: 4b"});
    CHECK(s.session.send_volatile(s.handles[0], text("c")) == error{errc::would_wait});
    CHECK(s.after([&] { s.session.resume(7); }) == lines{"send 7: 4a"});
    CHECK(s.after([&] { s.session.resume(99); }).empty());
}

TEST_CASE("a stream that is paused before it says whose it is stays paused", "[server]") {
    driver s(with_streams());
    s.open_stream(7);
    s.session.pause(7);
    CHECK(s.stream(7, stream_frame("0")) == lines{"0 opened webtransport"});
    CHECK(s.after([&] { s.session.resume(7); }).size() == 1); // the handshake
    s.open_stream(8);
    s.session.pause(8);
    s.session.resume(8);
    CHECK(s.stream(8, stream_frame("0")).size() == 2);
}

TEST_CASE("a message for all is encoded once: each session hands out the same bytes", "[server]") {
    driver s;
    for (std::uint64_t i = 0; i != 10; ++i) s.open_websocket(i, websocket_v4);
    shared_message const message(text("news"));
    for (auto const handle : s.handles) {
        REQUIRE(s.session.send(handle, message).has_value());
        CHECK(s.drain().size() == 1);
        CHECK(s.sent_from == message.wire().data());
    }
}

//=== time ===//

TEST_CASE("each session has its heartbeat", "[server]") {
    driver s;
    s.open_websocket(7, websocket_v4);
    s.at(1'000);
    s.open_websocket(8, websocket_v4);
    CHECK(s.at(24'999).empty());
    CHECK(s.at(25'000) == lines{"send 7: 2"});
    CHECK(s.at(25'999).empty());
    CHECK(s.at(26'000) == lines{"send 8: 2"});
    s.websocket(8, "3");
    CHECK(s.at(44'999).empty());
    CHECK(s.at(45'000) == lines{"0 closed: ping timeout", "close 7"});
    CHECK(s.at(51'000) == lines{"send 8: 2"});
    CHECK(s.session.size() == 1);
}

TEST_CASE("timers run however events and transmits are drained", "[server]") {
    driver s;
    s.channels.insert(7);
    s.session.websocket_opened(7, "/engine.io/?EIO=4&transport=websocket", s.now);
    std::string buffer;
    while (s.session.poll_event()) {
    }
    while (s.session.poll_transmit(buffer)) {
    }
    REQUIRE(s.session.poll_timeout().has_value());
    CHECK(*s.session.poll_timeout() <= support::start + 25s);
    CHECK(s.at(25'000) == lines{"send 7: 2"});
}

TEST_CASE("a server without sessions waits for nothing", "[server]") {
    driver s;
    CHECK_FALSE(s.session.poll_timeout().has_value());
    s.open_websocket(7, websocket_v4);
    CHECK(s.session.poll_timeout().has_value());
    s.cut(7);
    CHECK_FALSE(s.session.poll_timeout().has_value());
}

TEST_CASE("closing: one session, or all", "[server]") {
    driver s;
    open_polling(s, 1);
    s.open_websocket(7, websocket_v4);
    s.open_websocket(8, websocket_v4);
    CHECK(s.after([&] { s.session.close(s.handles[1], s.now); }) == lines{"close 7", "1 closed: forced close"});
    CHECK(s.after([&] { s.session.close_all(s.now); }) == lines{"close 8", "2 closed: forced close"});
    CHECK(s.session.size() == 1);
    CHECK(s.get(2, s.query("polling")) == lines{"answer 2: 200 text 1", "0 closed: forced close"});
    CHECK(s.session.size() == 0);
    open_polling(s, 3);
    CHECK(s.after([&] { s.session.abort(s.handles[3]); }).size() == 1);
}

//=== hostile peers ===//

TEST_CASE("(6.6.10): revisions mixed within a session are refused, and the session is unharmed", "[server][hostile]") {
    driver s(with_v3());
    open_polling(s, 1);
    auto const other = s.query("websocket", 0, "3");
    CHECK(s.refusal_of_websocket("/engine.io/?" + other) == request_error::bad_request);
    CHECK(status(request_error::bad_request) == 400);
    CHECK(s.open_websocket(7, other) == lines{"close 7"});
    for (char const* p : {"2probe", "5", "2"}) CHECK(s.websocket(7, p).empty());
    CHECK(s.get(2, s.query("polling")).empty());
    CHECK(s.send("a") == lines{"answer 2: 200 text 4a"});
}

TEST_CASE("CVE-2023-31125: a transport named as an inherited property is unknown", "[server][hostile]") {
    driver s;
    for (char const* name : {"__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"})
        CHECK(s.get(1, "EIO=4&transport=" + std::string(name)) == lines{refused(1, 0)});
}

TEST_CASE("(6.6.7): a stream with an inherited property as sid names no session", "[server][hostile]") {
    driver s(with_streams());
    for (char const* sid : {"__proto__", "constructor", "toString"}) {
        s.open_stream(7);
        CHECK(s.stream(7, open_stream_with(sid)) == lines{"close 7"});
        CHECK(s.get(1, std::string(polling_v4) + "&sid=" + sid) == lines{refused(1, 1)});
    }
    CHECK(s.session.size() == 0);
}

TEST_CASE("CVE-2022-21676, CVE-2022-41940: a WebSocket that dies at once is forgotten, whatever it was",
          "[server][hostile]") {
    driver s(with_streams());
    s.session.websocket_opened(7, "/engine.io/?EIO=4&transport=websocket", s.now);
    s.session.channel_closed(7, s.now);
    CHECK(s.drain() == lines{"0 opened websocket", "0 closed: transport close"});
    CHECK(s.session.size() == 0);

    open_polling(s, 1);
    s.session.websocket_opened(8, "/engine.io/?" + s.query("websocket", 1), s.now);
    s.session.channel_closed(8, s.now);
    CHECK(s.drain() == lines{"0 upgrade failed"});
    s.session.stream_opened(9, s.now);
    s.session.channel_closed(9, s.now);
    CHECK(s.drain().empty());
    CHECK(s.session.size() == 1);
}

TEST_CASE("leaks at close: nothing of a session outlives it", "[server][hostile]") {
    driver s(with_streams());
    support::random_source random(1);
    for (std::uint64_t i = 0; i != 300; ++i) {
        auto const nth = s.handles.size();
        open_polling(s, 1);
        if (random.one_in(2)) s.get(2, s.query("polling", nth));
        if (random.one_in(2)) s.begin_post(4 + i, s.query("polling", nth));
        if (random.one_in(2)) s.open_websocket(7, s.query("websocket", nth));
        if (random.one_in(2)) s.websocket(7, "2probe");
        if (random.one_in(2)) s.websocket(7, "5");
        if (random.one_in(2) && s.session.find(s.handles[nth])) s.send("queued", nth);
        switch (random.below(4)) {
        case 0: s.cut(7); break;
        case 1: s.after([&] { s.session.close(s.handles[nth], s.now); }); break;
        case 2: s.after([&] { s.session.abort(s.handles[nth]); }); break;
        case 3: s.post(3, std::string(polling_v4) + "&sid=" + (s.session.find(s.handles[nth]) ? s.sid(nth) : "x"), "1");
        }
        s.at(static_cast<std::int64_t>(i + 1) * 100'000); // whatever is left times out
        REQUIRE(s.session.size() == 0);
        REQUIRE(s.exchanges.empty());
        REQUIRE(s.channels.empty());
        REQUIRE_FALSE(s.session.poll_timeout().has_value());
    }
}

TEST_CASE("slow or silent peers: sessions and streams that say nothing are gone in bounded time", "[server][hostile]") {
    driver s(with_streams());
    for (std::uint64_t i = 0; i != 100; ++i) {
        open_polling(s, 1);
        s.open_stream(i);
        s.open_websocket(1'000 + i, websocket_v4);
    }
    CHECK(s.session.size() == 200);
    s.at(45'000);
    CHECK(s.session.size() == 0);
    CHECK(s.channels.empty());
    CHECK_FALSE(s.session.poll_timeout().has_value());
}

TEST_CASE("a client of revision 3 that asks for base64 gets it over a WebSocket too", "[server]") {
    engineio::server_options options;
    options.allow_v3 = true;
    engineio::server s(options, [](std::span<std::byte> bytes) { std::ranges::fill(bytes, std::byte{1}); });
    std::string buffer;
    s.websocket_opened(7, "/engine.io/?EIO=3&transport=websocket&b64=1", {});
    auto const opened = s.poll_event();
    REQUIRE(opened.has_value());
    REQUIRE(s.send(opened->session, {frame_kind::binary, "\x01\x02\x03\x04"}).has_value());
    std::vector<std::string> sent;
    while (s.poll_event()) {
    }
    while (auto const t = s.poll_transmit(buffer)) {
        CHECK(t->data.kind == frame_kind::text);
        sent.emplace_back(t->data.data);
    }
    REQUIRE(sent.size() == 2);
    CHECK(sent[1] == "b4AQIDBA==");
}

TEST_CASE("a POST behind the one that closed the session is refused, and nothing is left", "[server]") {
    engineio::server s({}, [](std::span<std::byte> bytes) { std::ranges::fill(bytes, std::byte{1}); });
    std::string buffer;
    s.http_received({.exchange = 1, .target = "/engine.io/?EIO=4&transport=polling"}, {});
    while (s.poll_event()) {
    }
    auto const opened = s.poll_transmit(buffer);
    REQUIRE(opened.has_value());
    auto const begin = buffer.find("sid") + 6;
    auto const target = "/engine.io/?EIO=4&transport=polling&sid=" + buffer.substr(begin, 20);
    while (s.poll_transmit(buffer)) {
    }

    std::string first = "1";
    std::string second = "4late";
    s.http_received({.exchange = 2, .method = http_method::post, .target = target, .body = first}, {});
    while (s.poll_event()) {
    }
    auto const ok = s.poll_transmit(buffer);
    REQUIRE(ok.has_value());
    CHECK(ok->status == 200);
    // The answer is written, and what was pipelined behind the request is read, before the next poll.
    s.http_received({.exchange = 3, .method = http_method::post, .target = target, .body = second}, {});
    while (s.poll_event()) {
    }
    auto const refused = s.poll_transmit(buffer);
    REQUIRE(refused.has_value());
    CHECK(refused->id == 3);
    CHECK(refused->status == 400);
    while (s.poll_transmit(buffer) || s.poll_event()) {
    }
    CHECK(s.size() == 0);
}

TEST_CASE("a handle that was not set names no session", "[server]") {
    engineio::server s({}, [](std::span<std::byte> bytes) { std::ranges::fill(bytes, std::byte{1}); });
    s.websocket_opened(1, "/engine.io/?EIO=4&transport=websocket", {});
    REQUIRE(s.size() == 1);
    CHECK(s.find(session_handle{}) == nullptr);
    CHECK(s.send(session_handle{}, {frame_kind::text, "a"}) == error{errc::not_open});
}

TEST_CASE("a flood of empty messages is bounded too", "[server]") {
    engineio::server_options options;
    options.max_queued = 100'000;
    engineio::server s(options, [](std::span<std::byte> bytes) { std::ranges::fill(bytes, std::byte{1}); });
    s.websocket_opened(1, "/engine.io/?EIO=4&transport=websocket", {});
    auto const opened = s.poll_event();
    REQUIRE(opened.has_value());
    result<void> sent;
    std::size_t queued = 0;
    for (; sent && queued != 100'000; ++queued) sent = s.send(opened->session, {frame_kind::binary, ""});
    CHECK(sent == error{errc::queue_overflow});
    CHECK(queued < 5'000);
}

} // namespace engineio_server_test
