#include "drivers/wire_server.hpp"
#include "tools/catch.hpp"

#include <socketless/http/fields.hpp>
#include <socketless/wire/request.hpp>
#include <socketless/wire/server_options.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wire_server_http_test {

using namespace socketless;
using namespace std::chrono_literals;
using namespace std::string_view_literals;
using support::websocket_request;
using support::wire_scene;
using strings = std::vector<std::string>;

namespace {

constexpr std::string_view handshake = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n";

std::string get(std::string_view target, std::string_view fields = {}) {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}
std::string post(std::string_view target, std::string_view body, std::string_view fields = {}) {
    return "POST " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
std::string status_of(std::string_view answer) {
    return std::string(answer.substr(0, answer.find("\r\n")));
}
std::string body_of(std::string_view answer) {
    return std::string(answer.substr(answer.find("\r\n\r\n") + 4));
}
bool has_line(std::string_view answer, std::string_view line) {
    return answer.find("\r\n" + std::string(line) + "\r\n") != std::string_view::npos;
}
std::string target_of(wire_scene const& s) {
    return "/engine.io/?EIO=4&transport=polling&sid=" + std::string(s.io->find(*s.session)->id());
}

// A session by long-polling, over connection 1.
void open(wire_scene& s) {
    s.accept(1);
    s.receive(1, handshake);
    s.take(1);
}

} // namespace

TEST_CASE("wire server: a handshake by long-polling is answered as engine.io answers it") {
    wire_scene s;
    s.accept(1);
    CHECK(s.exchange(1, handshake) == "HTTP/1.1 200 OK\r\n"
                                      "Content-Type: text/plain; charset=UTF-8\r\n"
                                      "Content-Length: 118\r\n"
                                      "Cache-Control: no-store\r\n"
                                      "\r\n"
                                      R"(0{"sid":"bIKlYsuAjRDWMr6JyFE-","upgrades":["websocket"],)"
                                      R"("pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})");
    CHECK(s.events == strings{"opened polling"});
}

TEST_CASE("wire server: a GET waits until there is something to say, a POST is answered at once") {
    wire_scene s;
    open(s);
    CHECK(s.exchange(1, get(target_of(s))).empty());
    s.accept(2);
    CHECK(body_of(s.exchange(2, post(target_of(s), "4hello"))) == "ok");
    CHECK(s.events == strings{"opened polling", "message hello"});
    s.io->send(*s.session, {frame_kind::text, "welcome"}).ignore();
    s.drain();
    CHECK(body_of(s.take(1)) == "4welcome");
}

TEST_CASE("wire server: however the bytes of requests are cut, events and answers are the same") {
    for (std::size_t size = 1; size != 40; ++size) {
        CAPTURE(size);
        wire_scene s;
        s.accept(1);
        s.receive_in_pieces(1, handshake, size);
        CHECK(status_of(s.take(1)) == "HTTP/1.1 200 OK");
        s.receive_in_pieces(1,
                            post(target_of(s), "4hello\x1e"
                                               "4world"),
                            size);
        CHECK(body_of(s.take(1)) == "ok");
        s.receive_in_pieces(1,
                            "POST " + target_of(s) +
                                " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "3\r\n4ch\r\n4;x=1\r\nunks\r\n0\r\nX: y\r\n\r\n",
                            size);
        CHECK(body_of(s.take(1)) == "ok");
        CHECK(s.events == strings{"opened polling", "message hello", "message world", "message chunks"});
    }
}

TEST_CASE("wire server: requests that come one behind the other are answered in their order") {
    wire_scene s;
    open(s);
    auto const target = target_of(s);
    // The first waits; the second and the third wait for it.
    CHECK(s.exchange(1, get(target) + post(target, "4a") + get("/other")).empty());
    CHECK(s.events == strings{"opened polling"});
    s.io->send(*s.session, {frame_kind::text, "now"}).ignore();
    s.drain();
    auto const answers = s.take(1);
    CHECK(answers.find("4now") < answers.find("\r\n\r\nok"));
    CHECK(answers.find("\r\n\r\nok") < answers.find("HTTP/1.1 404 Not Found"));
    CHECK(s.events == strings{"opened polling", "message a"});
}

TEST_CASE("wire server: a client that sends too much behind a request gets the answer, and then the end") {
    wire_scene s;
    open(s);
    s.receive(1, get(target_of(s)));
    for (int i = 0; i != 3; ++i) s.receive(1, std::string(30'000, 'x'));
    s.io->send(*s.session, {frame_kind::text, "now"}).ignore();
    s.drain();
    auto const answer = s.take(1);
    CHECK(body_of(answer) == "4now");
    CHECK(has_line(answer, "Connection: close"));
    CHECK(s.ended.contains(1));
}

TEST_CASE("wire server: a connection lives on after an answer, unless one side says otherwise") {
    wire_scene s;
    s.accept(1);
    CHECK_FALSE(has_line(s.exchange(1, handshake), "Connection: close"));
    CHECK(s.ended.empty());
    CHECK(has_line(s.exchange(1, get("/", "Connection: close\r\n")), "Connection: close"));
    CHECK(s.ended.contains(1));
    CHECK(s.closed.empty());
    CHECK(s.exchange(1, handshake).empty()); // too late
    s.io.ended(1, s.now);
    s.drain();
    CHECK(s.closed.contains(1));
    CHECK(s.io.connection_count() == 0);

    s.accept(2);
    s.receive(2, "GET / HTTP/1.0\r\n\r\n");
    CHECK(has_line(s.take(2), "Connection: close"));
    CHECK(s.ended.contains(2));
    s.accept(3);
    s.receive(3, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(has_line(s.take(3), "Connection: keep-alive"));
    CHECK_FALSE(s.ended.contains(3));
}

TEST_CASE("wire server: a connection that has ended its side is closed if the client does not follow") {
    wire_scene s;
    s.accept(1);
    s.receive(1, "GET / HTTP/1.0\r\n\r\n");
    CHECK(s.ended.contains(1));
    s.wait(4'999ms);
    CHECK(s.closed.empty());
    s.receive(1, std::string(1'000, 'x')); // does not help
    s.wait(2ms);
    CHECK(s.closed.contains(1));
}

TEST_CASE("wire server: requests that break the rules get their status, and then the end") {
    struct row {
        std::string request;
        std::string_view status;
    };
    row const rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", "400 Bad Request"},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400 Bad Request"},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported"},
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400 Bad Request"},
        {"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", "400 Bad Request"},
        {"GET / HTTP/1.1\nHost: a\n\n", "400 Bad Request"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", "400 Bad Request"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", "400 Bad Request"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx", "400 Bad Request"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\nx", "501 Not Implemented"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n", "400 Bad Request"},
        {get("/" + std::string(9'000, 'x')), "414 URI Too Long"},
        {get("/", "X: " + std::string(17'000, 'x') + "\r\n"), "431 Request Header Fields Too Large"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000001\r\n\r\n", "413 Content Too Large"},
    };
    for (row const& r : rows) {
        CAPTURE(r.request.substr(0, 100));
        wire_scene s;
        s.accept(1);
        auto const answer = s.exchange(1, r.request);
        CHECK(status_of(answer) == "HTTP/1.1 " + std::string(r.status));
        CHECK(has_line(answer, "Connection: close"));
        CHECK(s.ended.contains(1));
        CHECK(s.exchange(1, get("/")).empty());
        CHECK(s.events.empty());
    }
}

TEST_CASE("wire server: a body that is too large is answered with 413, and the session lives on") {
    wire_scene s({}, {.max_payload = 100});
    open(s);
    s.accept(2);
    CHECK(status_of(s.exchange(2, post(target_of(s), std::string(101, '4')))) == "HTTP/1.1 413 Content Too Large");
    s.accept(3);
    s.receive(3, "POST " + target_of(s) + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    s.receive(3, "50\r\n" + std::string(80, '4') + "\r\n");
    s.receive(3, "50\r\n" + std::string(80, '4') + "\r\n");
    CHECK(status_of(s.take(3)) == "HTTP/1.1 413 Content Too Large");
    CHECK(s.ended == std::set<wire::connection_id>{2, 3});
    CHECK(body_of(s.exchange(1, post(target_of(s), "4a"))) == "ok");
    CHECK(s.events == strings{"opened polling", "message a"});
}

TEST_CASE("wire server: a client that expects 100 is told to continue") {
    wire_scene s;
    open(s);
    s.receive(1, "POST " + target_of(s) + " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    CHECK(s.take(1) == "HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(body_of(s.exchange(1, "4a")) == "ok");
    CHECK(s.events == strings{"opened polling", "message a"});
    // The body is there already: nobody waits for the word.
    CHECK(status_of(s.exchange(1, post(target_of(s), "4b", "Expect: 100-continue\r\n"))) == "HTTP/1.1 200 OK");
}

TEST_CASE("wire server: other paths are not found, or answered by the application when it likes") {
    wire_scene plain;
    plain.accept(1);
    CHECK(status_of(plain.exchange(1, get("/page"))) == "HTTP/1.1 404 Not Found");
    CHECK(plain.requests.empty());

    wire_scene s({.headers = {{"X-Served-By", "socketless"}}, .other_paths = wire::other_paths::application});
    s.accept(1, "10.1.2.3");
    CHECK(s.exchange(1, post("/page?x=1", "the body", "X-Test: yes\r\n")).empty());
    REQUIRE(s.requests.size() == 1);
    auto const& r = s.requests[0];
    CHECK(r.method == "POST");
    CHECK(r.target == "/page?x=1");
    CHECK(r.path() == "/page");
    CHECK(r.fields().find("x-test") == "yes");
    CHECK(r.body == "the body");
    CHECK(r.address == "10.1.2.3");
    s.wait(1h); // as long as it likes
    http::field const field{"ETag", "\"1\""};
    CHECK(s.io.respond(r.exchange, {.status = 201, .content_type = "text/css", .body = "x", .fields = {&field, 1}},
                       s.now));
    CHECK_FALSE(s.io.respond(r.exchange, {}, s.now));
    s.drain();
    CHECK(s.take(1) == "HTTP/1.1 201 Created\r\nContent-Type: text/css\r\nContent-Length: 1\r\nETag: \"1\"\r\n"
                       "X-Served-By: socketless\r\n\r\nx");
    s.receive(1, "HEAD /page HTTP/1.1\r\nHost: a\r\n\r\n");
    REQUIRE(s.requests.size() == 2);
    CHECK(s.io.respond(s.requests[1].exchange, {.body = "four"}, s.now));
    s.drain();
    CHECK(s.take(1) == "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Served-By: socketless\r\n\r\n");

    s.receive(1, get("/gone"));
    s.io.closed(1, s.now);
    CHECK_FALSE(s.io.respond(s.requests.at(2).exchange, {}, s.now));
    s.drain();
    CHECK_FALSE(s.io.respond(s.requests[2].exchange, {}, s.now));
}

TEST_CASE("wire server: pages of the origins that it names may read the answers") {
    wire_scene s({.cors = {.origins = {"http://good.example"}, .credentials = true}});
    s.accept(1);
    auto const good = s.exchange(1, get("/engine.io/?EIO=4&transport=polling", "Origin: http://good.example\r\n"));
    CHECK(has_line(good, "Access-Control-Allow-Origin: http://good.example"));
    CHECK(has_line(good, "Access-Control-Allow-Credentials: true"));
    CHECK(has_line(good, "Vary: Origin"));
    auto const bad = s.exchange(1, get("/engine.io/?EIO=4&transport=polling", "Origin: http://bad.example\r\n"));
    CHECK(bad.find("Access-Control") == std::string::npos);
    CHECK(has_line(bad, "Vary: Origin"));
    s.receive(1, "OPTIONS /engine.io/ HTTP/1.1\r\nHost: a\r\nOrigin: http://good.example\r\n"
                 "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-token\r\n\r\n");
    auto const preflight = s.take(1);
    CHECK(status_of(preflight) == "HTTP/1.1 204 No Content");
    CHECK(has_line(preflight, "Access-Control-Allow-Methods: GET,POST"));
    CHECK(has_line(preflight, "Access-Control-Allow-Headers: x-token"));
    CHECK(has_line(preflight, "Access-Control-Max-Age: 600"));
    CHECK(preflight.find("Content-Length") == std::string::npos);
}

TEST_CASE("wire server: the answer to a handshake sets the cookie, no other answer does") {
    wire_scene s({.cookie = {.name = "io", .secure = true, .same_site = wire::same_site::strict}});
    s.accept(1);
    CHECK(has_line(s.exchange(1, handshake),
                   "Set-Cookie: io=bIKlYsuAjRDWMr6JyFE-; Path=/; HttpOnly; Secure; SameSite=Strict"));
    CHECK(s.exchange(1, post(target_of(s), "4a")).find("Set-Cookie") == std::string::npos);
}

TEST_CASE("wire server: the application sees the whole head of the request that begins a session") {
    strings seen;
    auto const allow = [&](engineio::handshake_request const& r) -> engineio::request_verdict {
        seen.emplace_back(http::field_view(r.fields).find("Authorization").value_or("none"));
        seen.emplace_back(r.address);
        return seen[seen.size() - 2] != "none";
    };
    wire_scene s({}, {.allow_request = allow});
    s.accept(7, "10.1.2.3");
    auto const refused = s.exchange(7, handshake);
    CHECK(status_of(refused) == "HTTP/1.1 403 Forbidden");
    CHECK(body_of(refused) == R"({"code":4,"message":"Forbidden"})");
    CHECK(status_of(s.exchange(7, get("/engine.io/?EIO=4&transport=polling&x=1", "Authorization: me\r\n"))) ==
          "HTTP/1.1 200 OK");
    CHECK(seen == strings{"none", "10.1.2.3", "me", "10.1.2.3"});
    s.receive(7, get("/other")); // the session keeps its own copy
    auto const kept = s.io->handshake(*s.session);
    CHECK(kept.query.get("x") == "1");
    CHECK(http::field_view(kept.fields).find("authorization") == "me");
    CHECK(kept.address == "10.1.2.3");
    CHECK(kept.context == 7);
}

TEST_CASE("wire server: connections that do not send, or send slowly, are ended") {
    wire_scene s({.request_timeout = 10s});
    s.accept(1); // sends nothing
    s.wait(9'999ms);
    CHECK(s.ended.empty());
    s.wait(2ms);
    CHECK(s.ended.contains(1));
    CHECK(s.take(1).empty());

    s.accept(2); // sends a byte a second
    for (char const c : "GET / HTTP/1.1\r\nHost"sv) {
        s.receive(2, {&c, 1});
        s.wait(1s);
    }
    CHECK(status_of(s.take(2)) == "HTTP/1.1 408 Request Timeout");
    CHECK(s.ended.contains(2));

    s.accept(3);
    s.exchange(3, handshake);
    s.wait(9s);
    s.receive(3, "GET /x HTTP/1.1\r\n"); // the time for a request begins with it
    s.wait(9s);
    CHECK(status_of(s.exchange(3, "Host: a\r\n\r\n")) == "HTTP/1.1 404 Not Found");
}

TEST_CASE("wire server: a poll may wait longer than a request") {
    wire_scene s({.request_timeout = 10s});
    open(s);
    s.receive(1, get(target_of(s)));
    s.wait(24s);
    CHECK(s.ended.empty());
    s.wait(2s);
    CHECK(body_of(s.take(1)) == "2");
}

TEST_CASE("wire server: a client that ends its side gets what is there, and then the end") {
    wire_scene s;
    s.accept(1);
    s.give(1, get("/one") + get("/two"));
    s.io.ended(1, s.now);
    s.drain();
    auto const answers = s.take(1);
    CHECK(answers.find("404") != answers.rfind("404"));
    CHECK(s.closed.contains(1));

    open(s);
    s.receive(1, get(target_of(s)));
    s.io.ended(1, s.now);
    s.drain();
    s.drain(); // the poll has given up: what the session says of it comes with the next input
    CHECK(s.events.back() == "closed transport error");
    CHECK(s.closed.contains(1));
}

TEST_CASE("wire server: a client that ends its side while its answer is written gets the rest of it") {
    wire_scene s;
    s.accept(1);
    auto const answered = [&s](std::string_view behind) {
        s.receive(1, get("/one"));
        s.io.pause(1);
        s.receive(1, behind);
        s.io.ended(1, s.now);
        s.drain();
        CHECK_FALSE(s.closed.contains(1));
    };
    for (auto const behind : {"", "GET /tw"}) {
        CAPTURE(behind);
        answered(behind);
        s.io.resume(1);
        s.drain();
        CHECK(s.closed.contains(1));
        s.closed.clear();
        s.accept(1);
    }
    answered("");
    s.wait(61s);
    CHECK(s.closed.contains(1));

    // A poll, too.
    open(s);
    s.receive(1, get(target_of(s)));
    s.io.ended(1, s.now);
    s.io->send(*s.session, {frame_kind::text, "late"}).ignore();
    while (s.io.poll_event()) {
    }
    auto const t = s.io.poll_transmit(s.buffer);
    REQUIRE(t);
    CHECK(body_of(t->data) == "4late");
    s.io.pause(1);
    s.closed.clear();
    s.drain();
    s.drain();
    CHECK_FALSE(s.closed.contains(1));
    s.io.resume(1);
    s.drain();
    CHECK(s.closed.contains(1));
}

TEST_CASE("wire server: a connection that is lost in the middle ends what it was for") {
    wire_scene s;
    open(s);
    s.io.closed(1, s.now); // between two requests: no harm
    s.drain();
    CHECK(s.events == strings{"opened polling"});
    s.accept(1);
    s.receive(1, get(target_of(s)).substr(0, 30));
    s.io.closed(1, s.now);
    s.drain();
    CHECK(s.events == strings{"opened polling"});
    s.accept(2);
    s.receive(2, "POST " + target_of(s) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n4a");
    s.io.closed(2, s.now);
    s.drain();
    CHECK(s.events == strings{"opened polling", "closed transport error"});
    CHECK(s.io.connection_count() == 0);
}

TEST_CASE("wire server: nothing is sent on a connection while a write is under way") {
    wire_scene s;
    s.accept(1);
    s.io.pause(1);
    CHECK(s.exchange(1, std::string(handshake) + get("/x")).empty());
    CHECK(s.exchange(1, get("/y")).empty());
    s.io.resume(1);
    s.drain();
    auto const answers = s.take(1);
    CHECK(answers.find("0{") < answers.find("404"));
    CHECK(answers.find("404") != answers.rfind("404"));

    s.io.pause(1); // the client does not read
    s.receive(1, get("/z"));
    s.wait(61s);
    CHECK(s.closed.contains(1));
}

TEST_CASE("wire server: a slow client that reads on is not closed, one that stops is") {
    wire_scene s({.other_paths = wire::other_paths::application});
    s.accept(1);
    s.receive(1, get("/large"));
    CHECK(s.io.respond(s.requests[0].exchange, {.body = std::string(100'000, 'x')}, s.now));
    s.drain();
    for (int i = 0; i != 10; ++i) { // a part every 50 s
        s.io.pause(1);
        s.wait(50s);
    }
    CHECK(s.closed.empty());
    s.io.resume(1);
    s.wait(59s); // and then there is as much time for the next request as ever
    CHECK(s.ended.empty());
    s.receive(1, get("/large"));
    CHECK(s.io.respond(s.requests[1].exchange, {.body = "x"}, s.now));
    s.drain();
    s.io.pause(1);
    s.wait(61s);
    CHECK(s.closed.contains(1));
}

TEST_CASE("wire server: a client that ends its side behind two requests gets both answers, if they come") {
    wire_scene s({.other_paths = wire::other_paths::application});
    open(s);
    s.io->send(*s.session, {frame_kind::text, "now"}).ignore();
    s.give(1, get(target_of(s)) + get("/page"));
    s.io.ended(1, s.now);
    s.drain();
    s.wait(1ms);
    REQUIRE(s.requests.size() == 1);
    CHECK(s.io.respond(s.requests[0].exchange, {.body = "page"}, s.now));
    s.drain();
    auto const answers = s.take(1);
    CHECK(answers.find("4now") != std::string::npos);
    CHECK(answers.ends_with("page"));
    CHECK(s.closed.contains(1));

    s.closed.clear(); // the other way round: the poll gives up when its turn has come
    open(s);
    s.give(1, get("/page") + get(target_of(s)));
    s.io.ended(1, s.now);
    s.drain();
    CHECK(s.io.respond(s.requests[1].exchange, {.body = "page"}, s.now));
    s.drain();
    s.wait(1ms);
    CHECK(s.events.back() == "closed transport error");
    CHECK(s.closed.contains(1));
}

TEST_CASE("wire server: pages of other origins read what the protocol answers, not what the application does") {
    wire_scene s({.cors = {.origins = {"*"}, .credentials = true}, .other_paths = wire::other_paths::application});
    s.accept(1);
    s.receive(1, get("/admin", "Origin: http://other.example\r\n"));
    CHECK(s.io.respond(s.requests[0].exchange, {.body = "secret"}, s.now));
    s.drain();
    CHECK(s.take(1) == "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret");
}

TEST_CASE("wire server: it closes in good order") {
    wire_scene s({.other_paths = wire::other_paths::application});
    open(s);
    s.receive(1, get(target_of(s)));
    s.accept(2); // is idle
    s.accept(3); // waits for the application
    s.receive(3, get("/page"));
    s.io.close();
    s.drain();
    CHECK(body_of(s.take(1)) == "1");
    CHECK(s.events.back() == "closed forced close");
    CHECK(s.ended.contains(2));
    CHECK_FALSE(s.ended.contains(3));
    CHECK_FALSE(s.io.is_done());
    CHECK(s.io.respond(s.requests[0].exchange, {.body = "page"}, s.now));
    s.drain();
    CHECK(has_line(s.take(3), "Connection: close"));
    CHECK(s.ended.contains(3));
    s.wait(6s);
    CHECK(s.io.is_done());
    CHECK_FALSE(s.io.poll_timeout().has_value());
}

TEST_CASE("wire server: a server that closes takes no new session, but tells clients between two polls") {
    wire_scene s;
    open(s);
    s.io.close();
    s.drain();
    CHECK_FALSE(s.io.is_done());
    s.accept(2);
    CHECK(status_of(s.exchange(2, handshake)) == "HTTP/1.1 503 Service Unavailable");
    CHECK(body_of(s.exchange(1, get(target_of(s)))) == "1");
    s.wait(6s);
    CHECK(s.io.is_done());
}

TEST_CASE("wire server: a connection that is gone gets nothing, whoever has its name then") {
    auto const poll = get("/engine.io/?EIO=4&transport=polling");
    for (std::string const& bytes : {poll, get("/page"), std::string("GET / HTTP/9\r\n\r\n"), websocket_request()}) {
        CAPTURE(bytes);
        wire_scene s({.other_paths = wire::other_paths::application});
        s.accept(1);
        s.give(1, bytes); // the caller polls only after all of these
        s.io.closed(1, s.now);
        s.io.accepted(1, "10.0.0.2", s.now);
        s.drain();
        CHECK(s.sent[1].empty());
        CHECK(s.closed.empty());
        CHECK(s.io.connection_count() == 1);
        for (auto const& r : s.requests) CHECK_FALSE(s.io.respond(r.exchange, {.body = "late"}, s.now));
        s.receive(1, poll);
        CHECK(s.take(1).starts_with("HTTP/1.1 200 OK"));
    }
    wire_scene s; // an answer that has begun to be written
    s.accept(1);
    s.receive(1, websocket_request());
    auto const first = *s.session;
    s.accept(2);
    s.receive(2, websocket_request());
    for (auto const to : {*s.session, first}) s.io->send(to, {frame_kind::text, "hello"}).ignore();
    s.sent.clear();
    CHECK_FALSE(s.io.poll_event());
    auto const t = s.io.poll_transmit(s.buffer);
    REQUIRE(t);
    CHECK(t->connection == 2);
    s.io.closed(1, s.now);
    s.io.accepted(1, "10.0.0.2", s.now);
    s.drain();
    CHECK(s.sent[1].empty());
}

TEST_CASE("wire server: options that no answer can carry are refused, and so are such answers") {
    auto const code = [](wire::server_options const& o) {
        auto const checked = check(o);
        return checked ? errc{} : checked.error().code;
    };
    CHECK(code({}) == errc{});
    CHECK(code({.cookie = {.name = "io", .path = "/a"}, .headers = {{"X-A", "b"}}}) == errc{});
    for (auto const& h : std::vector<std::pair<std::string, std::string>>{{"X A", "b"},
                                                                          {"", "b"},
                                                                          {"X-A", "b\r\nX-B: c"},
                                                                          {"Content-Length", "1"},
                                                                          {"connection", "close"},
                                                                          {"sec-websocket-protocol", "a"}}) {
        CAPTURE(h.first);
        CHECK(check(wire::server_options{.headers = {{"X-A", "b"}, h}}).error() == error{errc::invalid_field, 1});
        http::field const field{h.first, h.second};
        CHECK(check(wire::response{.fields = {&field, 1}}).error().code == errc::invalid_field);
    }
    CHECK(code({.cookie = {.name = "a b"}}) == errc::invalid_field);
    CHECK(code({.cookie = {.name = "a", .path = "/;b"}}) == errc::invalid_field);
    CHECK(code({.cookie = {.name = "a", .path = "/\r\nX: y"}}) == errc::invalid_field);
    CHECK(code({.cors = {.origins = {"*"}, .methods = "GET\n"}}) == errc::invalid_field);
    CHECK(code({.cors = {.origins = {"*"}, .exposed_headers = "\r"}}) == errc::invalid_field);

    wire_scene bad({.headers = {{"a b", "c"}}});
    CHECK_FALSE(bad.io.check_options());
    bad.accept(1);
    CHECK(bad.closed.contains(1));
    CHECK(bad.io.connection_count() == 0);

    wire_scene s({.other_paths = wire::other_paths::application});
    s.accept(1);
    s.receive(1, get("/page"));
    auto const exchange = s.requests.at(0).exchange;
    http::field const length{"Content-Length", "1"};
    CHECK(s.io.respond(exchange, {.fields = {&length, 1}}, s.now).error() == error{errc::invalid_field, 0});
    CHECK(s.io.respond(exchange, {.content_type = "a\nb"}, s.now).error().code == errc::invalid_field);
    for (int const status : {0, 101, 199, 600})
        CHECK(s.io.respond(exchange, {.status = status}, s.now).error().code == errc::invalid_start_line);
    CHECK(s.io.respond(exchange, {.body = "page"}, s.now));
    CHECK(s.io.respond(exchange, {.body = "page"}, s.now).error().code == errc::not_open);
    s.drain();
    CHECK(s.take(1).ends_with("\r\n\r\npage"));
}

TEST_CASE("wire server: what does not fit behind a request leaves no gap in what does") {
    wire_scene s;
    open(s);
    s.receive(1, get(target_of(s)));
    auto const post = [&s](std::string const& body) {
        return "POST " + target_of(s) + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\n\r\n" + body;
    };
    auto const bytes = post("4" + std::string(70'000, 'a'));
    s.receive(1, bytes.substr(0, 60'000)); // waits for its turn
    s.io->send(*s.session, {frame_kind::text, "x"}).ignore();
    while (s.io.poll_event()) continue;
    s.give(1, bytes.substr(60'000, 10'000));
    CHECK(s.io.poll_transmit(s.buffer)); // the answer to the poll: the next request may come
    s.drain();
    s.receive(1, bytes.substr(70'000) + post("4next"));
    s.drain();
    CHECK(s.events == strings{"opened polling"});
    CHECK(s.closed.contains(1));
}

TEST_CASE("wire server: the end of a client's side comes behind what it has sent before") {
    wire_scene s;
    open(s);
    s.receive(1, get(target_of(s)));
    s.receive(1, "POST " + target_of(s) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n4last");
    s.io->send(*s.session, {frame_kind::text, "x"}).ignore();
    while (s.io.poll_event()) continue;
    s.io.ended(1, s.now);
    auto const t = s.io.poll_transmit(s.buffer); // the answer to the poll: the next request may come
    REQUIRE(t);
    CHECK(t->data.ends_with("4x"));
    s.drain();
    CHECK(s.events == strings{"opened polling", "message last"});
    CHECK(s.take(1).ends_with("\r\n\r\nok"));
}

TEST_CASE("wire server: a client that ends its side behind what it should not have sent is waited for no longer") {
    wire_scene s;
    open(s);
    s.receive(1, "GET " + target_of(s) + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + get("/page"));
    s.io->send(*s.session, {frame_kind::text, "x"}).ignore();
    s.drain();
    CHECK(s.take(1).ends_with("4x"));
    CHECK(s.ended.contains(1));
    s.io.ended(1, s.now);
    s.drain();
    CHECK(s.closed.contains(1));
}

TEST_CASE("wire server: an answer that is being written goes out, though the next one cannot") {
    wire_scene s;
    open(s);
    s.receive(1, get(target_of(s)));
    s.io->send(*s.session, {frame_kind::text, std::string(300'000, 'x')}).ignore();
    s.drain();
    s.io.pause(1);
    s.receive(1, get(target_of(s)));
    s.io.ended(1, s.now);
    s.drain();
    s.wait(0s);
    CHECK_FALSE(s.closed.contains(1));
    s.io.resume(1);
    s.drain();
    CHECK(s.closed.contains(1));
}

TEST_CASE("wire server: what waits for one connection keeps nothing from another, also if nothing is gathered") {
    wire_scene s({.max_write = 0});
    std::vector<engineio::session_handle> sessions;
    for (wire::connection_id id = 1; id != 4; ++id) {
        s.accept(id);
        s.receive(id, get("/engine.io/?EIO=4&transport=polling"));
        s.receive(id, get(target_of(s)));
        s.take(id);
        sessions.push_back(*s.session);
    }
    s.io.pause(1);
    for (auto const to : sessions) s.io->send(to, {frame_kind::text, "x"}).ignore();
    s.drain();
    CHECK(s.sent[1].empty());
    CHECK(s.take(2).ends_with("4x"));
    CHECK(s.take(3).ends_with("4x"));
}

TEST_CASE("wire server: no WebSocket opens for a client that has ended its side") {
    wire_scene s({.other_paths = wire::other_paths::application});
    s.accept(1);
    s.receive(1, get("/page") + websocket_request());
    s.io.ended(1, s.now);
    s.drain();
    CHECK(s.io.respond(s.requests.at(0).exchange, {.body = "page"}, s.now));
    s.drain();
    CHECK(s.take(1).ends_with("\r\n\r\npage"));
    CHECK(s.closed.contains(1));
    CHECK(s.events.empty());
}

} // namespace wire_server_http_test
