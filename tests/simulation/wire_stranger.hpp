// Somebody who connects to the server and is none of its clients: sends requests, whole or cut, or anything, and reads
// the answers.
#pragma once

#include "simulation/simulation.hpp"
#include "simulation/wire_connections.hpp"

#include <socketless/http/part.hpp>
#include <socketless/http/response.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

class wire_stranger final : public wire_host {
public:
    static constexpr std::size_t no_client = 0xffffffff;

    // What it sends, the methods of its requests, and the answers that it must get if nobody ends before.
    struct script {
        std::string bytes;
        std::vector<std::string_view> methods;
        std::vector<int> statuses;
    };

    // `is_closing`: whether the server is.
    wire_stranger(simulation& sim, wire_connections& connections, bool const& is_closing, script s)
        : sim_(sim), connections_(connections), is_closing_(is_closing), script_(std::move(s)) {}

    void begin() {
        perform({.type = wire::transmit_type::connect, .connection = 1, .host = "a.test", .port = 8080});
        sim_.after(milliseconds(20'000), [this] { // it has waited long enough
            if (!is_gone_) close();
        });
    }

    void connected(wire::connection_id) override { send_more(); }
    void received(wire::connection_id, std::span<char> bytes) override {
        while (answers_ != script_.methods.size()) {
            if (!is_reading_) reader_.expect(script_.methods[answers_]);
            is_reading_ = true;
            auto const part = reader_.read(bytes);
            if (!part) return sim_.ledger.fail("a stranger gets an answer that cannot be read");
            if (!*part) return reader_.keep_head();
            if ((*part)->type == socketless::http::part_type::head) status_ = reader_.head().status;
            if ((*part)->type == socketless::http::part_type::end) take_answer();
        }
        sim_.ledger.expect(bytes.empty(), "a stranger gets more answers than it has sent requests");
    }
    void ended(wire::connection_id) override {
        check_answers();
        is_over_ = true;
    }
    void closed(wire::connection_id) override {
        check_answers();
        is_gone_ = true;
    }
    void pause(wire::connection_id) override { is_paused_ = true; }
    void resume(wire::connection_id) override { is_paused_ = false; }
    void pump() override {
        if (!is_gone_ && !is_over_) send_more();
        if (!is_gone_ && is_over_) close();
    }
    [[nodiscard]] std::string who() const override { return "stranger"; }

private:
    void perform(wire::transmit const& t) { connections_.perform(*this, no_client, 0, t); }

    // Also of a request that is refused before all of it has come, the answer arrives.
    void check_answers() {
        bool const is_all = answers_ == script_.methods.size();
        sim_.ledger.expect(is_all || is_closing_ || !sim_.plan.calm, "a stranger is not answered");
    }

    void send_more() {
        while (sent_ != script_.bytes.size() && !is_paused_ && !is_over_) {
            std::size_t const size = 1 + sim_.random.below(script_.bytes.size() - sent_);
            auto const piece = std::string_view(script_.bytes).substr(sent_, size);
            sent_ += size;
            perform({.type = wire::transmit_type::send, .connection = 1, .data = piece});
            is_over_ = sim_.random.one_in(20);
        }
    }

    void take_answer() {
        is_reading_ = false;
        bool const is_late = status_ == 408 || (status_ == 503 && is_closing_);
        sim_.ledger.expect(status_ == script_.statuses[answers_] || is_late, "a stranger is told another status");
        answers_ = is_late ? script_.methods.size() : answers_ + 1;
        if (answers_ == script_.methods.size()) ++sim_.figures.wire.strangers;
    }

    void close() {
        is_gone_ = true;
        perform({.type = wire::transmit_type::close, .connection = 1});
    }

    simulation& sim_;
    wire_connections& connections_;
    bool const& is_closing_;
    script script_;
    socketless::http::response_reader reader_;
    std::size_t sent_ = 0;
    std::size_t answers_ = 0;
    int status_ = 0;
    bool is_reading_ = false;
    bool is_paused_ = false;
    bool is_over_ = false;
    bool is_gone_ = false;
};

// A script for the server at `path`, which answers `other` for other paths, and `preflight` to the question of a page.
inline wire_stranger::script draw_script(random_source& random, std::string const& path, int other, int preflight) {
    auto const protocol = path + "?EIO=4&transport=";
    std::string const host = " HTTP/1.1\r\nHost: a.test\r\n";
    switch (random.below(7)) {
    case 0: return {"junk\r\n" + std::string(100, 'a'), {"GET"}, {400}};
    case 1:
        return {"GET /other" + host + "\r\nHEAD /other" + host + "Connection: close\r\n\r\n",
                {"GET", "HEAD"},
                {other, other}};
    case 2:
        return {"POST /other" + host + "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: t\r\n\r\n",
                {"POST"},
                {other}};
    case 3:
        return {
            "OPTIONS " + protocol + "polling" + host + "Origin: http://page.test\r\n\r\n", {"OPTIONS"}, {preflight}};
    case 4:
        return {"POST " + protocol + "polling&sid=nobody" + host + "Content-Length: 100000000\r\n\r\n" +
                    std::string(1'000, 'a'),
                {"POST"},
                {413}};
    case 5:
        return {"GET " + protocol + "websocket" + host +
                    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                {"GET"},
                {426}};
    default:
        return {"POST " + protocol + "polling&sid=nobody" + host + "Content-Length: 3\r\n\r\n4hi", {"POST"}, {400}};
    }
}

} // namespace support
