#include "drivers/engineio_server.hpp"
#include "tools/catch.hpp"

#include <socketless/engineio/server.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace engineio_server_requests_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace support::engineio_server;
using support::lines;
using support::stream_frame;

//=== the checks of a request ===//

TEST_CASE("code 0: a transport that is missing, unknown or not allowed", "[server]") {
    driver s(with({transport::polling}));
    for (char const* query : {"EIO=4", "EIO=4&transport=", "EIO=4&transport=flashsocket", "EIO=4&transport=Polling",
                              "EIO=4&transport=websocket", "EIO=4&transport=webtransport"})
        CHECK(s.get(1, query) == lines{refused(1, 0)});
    CHECK(s.refusal_of_websocket("/engine.io/?EIO=4&transport=websocket") == request_error::unknown_transport);
    CHECK(s.session.connection_count() == 0);
}

TEST_CASE("code 1: a session id that no session has", "[server]") {
    driver s;
    open_polling(s, 1);
    for (std::string const& sid : {std::string("x"), std::string(20, 'A'), s.sid() + "A", s.sid().substr(1),
                                   s.sid() + "%", s.sid() + "%4", s.sid().substr(0, 19) + "%41", std::string(100, '+')})
        CHECK(s.get(2, std::string(polling_v4) + "&sid=" + sid) == lines{refused(2, 1)});
    CHECK(s.refusal_of_websocket("/engine.io/?EIO=4&transport=websocket&sid=x") == request_error::unknown_sid);
    CHECK(s.session.connection_count() == 1);
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
    CHECK(s.session.connection_count() == 1);
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
    CHECK(s.session.connection_count() == 3);
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
            auto const before = s.session.connection_count();
            s.exchanges.insert(1);
            s.after([&] { s.session.http_received({.exchange = 1, .target = target}, s.now); });
            CHECK(s.session.connection_count() == before + 1);
        }
        auto const before = s.session.connection_count();
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
        CHECK(s.session.connection_count() == before);
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
    CHECK(s.get(3, "transport=polling&token=bad") == lines{"answer 3" + plain}); // before the check of the revision
    CHECK(asked == std::vector<std::string>{"/engine.io/ - 0", "/engine.io/ old 0", "/engine.io/ bad 0"});
    CHECK(s.session.connection_count() == 0);

    // The server does not ask about requests that the protocol refuses, nor about those of a session.
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

    // It asks about a WebSocket when it is checked, and when it opens unchecked.
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

static_assert(!std::is_constructible_v<request_verdict, char const*>); // it would convert to true

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
    CHECK(s.session.connection_count() == 0);
    CHECK(s.drain().empty());
    throws = false;
    open_polling(s, 1);
    CHECK(s.session.connection_count() == 1);
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

TEST_CASE("a session keeps the fields and the address of its first request, unless it must not", "[server]") {
    for (bool const keeps : {true, false}) {
        CAPTURE(keeps);
        engineio::server_options options;
        options.keep_fields = keeps;
        std::vector<std::string> seen;
        options.allow_request = [&seen](engineio::handshake_request const& r) {
            seen.push_back(std::string(r.fields) + std::string(r.address));
            return true;
        };
        engineio::server server(options, support::counting_random());
        std::string buffer;
        std::string target = "/engine.io/?EIO=4&transport=polling";
        std::string fields = "Host: a\r\n";
        std::string address = "10.0.0.1";
        server.http_received({.exchange = 1, .target = target, .context = 7, .fields = fields, .address = address}, {});
        fields.assign(fields.size(), 'x'); // its own copy
        address.clear();
        auto const opened = server.poll_event();
        REQUIRE(opened.has_value());
        auto const kept = server.handshake(opened->session);
        CHECK(kept.path == "/engine.io/");
        CHECK(kept.context == 7);
        CHECK(kept.fields == (keeps ? "Host: a\r\n" : ""));
        CHECK(kept.address == (keeps ? "10.0.0.1" : ""));

        target = "/engine.io/?EIO=4&transport=websocket";
        CHECK_FALSE(server.websocket_refusal({.target = target, .fields = "X: y\r\n", .address = "b"}).has_value());
        server.websocket_opened({.channel = 2, .target = target, .is_checked = true, .fields = "X: y\r\n"}, {});
        CHECK(seen == std::vector<std::string>{"Host: a\r\n10.0.0.1", "X: y\r\nb"});
    }
}

TEST_CASE("the answer that begins a session says its id, other answers do not", "[server]") {
    engineio::server server({}, support::counting_random());
    std::string buffer;
    server.http_received({.exchange = 1, .target = "/engine.io/?EIO=4&transport=polling"}, {});
    auto const opened = server.poll_event();
    REQUIRE(opened.has_value());
    while (server.poll_event()) {
    }
    auto const first = server.poll_transmit(buffer);
    REQUIRE(first.has_value());
    CHECK(first->sid == server.find(opened->session)->id());
    auto const target = "/engine.io/?EIO=4&transport=polling&sid=" + std::string(first->sid);
    server.send(opened->session, {frame_kind::text, "x"}).ignore();
    server.http_received({.exchange = 2, .target = target}, {});
    while (server.poll_event()) {
    }
    auto const second = server.poll_transmit(buffer);
    REQUIRE(second.has_value());
    CHECK(second->data.data == "4x");
    CHECK(second->sid.empty());
}

TEST_CASE("a transmit of a broadcast shows who owns its bytes", "[server]") {
    engineio::server server({}, support::counting_random());
    std::string buffer;
    for (engineio::channel_id id : {1u, 2u}) server.websocket_opened(id, "/engine.io/?EIO=4&transport=websocket", {});
    std::vector<engineio::session_handle> sessions;
    while (auto const e = server.poll_event()) sessions.push_back(e->session);
    while (server.poll_transmit(buffer)) {
    }
    while (server.poll_event()) {
    }
    engineio::shared_message const news({frame_kind::text, "news"});
    for (auto const s : sessions) server.send(s, news).ignore();
    server.send(sessions.front(), {frame_kind::text, "own"}).ignore();
    while (server.poll_event()) {
    }
    std::vector<std::shared_ptr<std::string const>> owners;
    std::size_t others = 0;
    while (auto const t = server.poll_transmit(buffer)) {
        if (t->shared == nullptr) {
            ++others;
            continue;
        }
        CHECK(t->data.data == "4news");
        owners.push_back(*t->shared);
        while (server.poll_event()) {
        }
    }
    REQUIRE(owners.size() == 2);
    CHECK(owners[0] == owners[1]);
    CHECK(others == 1);
}

} // namespace engineio_server_requests_test
