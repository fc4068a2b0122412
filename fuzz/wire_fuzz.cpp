// A wire::server with several connections at once: whatever comes on them, and however it is cut, the same things
// happen; nothing is sent where nothing may be; memory stays within the sum of the limits; in the end all is gone.

#include "input.hpp"

#include <socketless/engineio/server.hpp>
#include <socketless/websocket/frame.hpp>
#include <socketless/wire/server.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace socketless;
using fuzz::check;
using wire::connection_id;

// What takes long to find by chance. "*" stands for the id of the session that opened last.
constexpr std::string_view phrases[] = {
    "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /engine.io/?EIO=4&transport=polling&sid=* HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /engine.io/?EIO=4&transport=polling&sid=* HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n4ab",
    "POST /engine.io/?EIO=4&transport=polling&sid=* HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    "3\r\n4ab\r\n0\r\n\r\n",
    "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "GET /engine.io/?EIO=4&transport=websocket&sid=* HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "GET /page HTTP/1.1\r\nHost: a\r\n\r\n",
    "OPTIONS /engine.io/ HTTP/1.1\r\nHost: a\r\nOrigin: b\r\n\r\n",
};
constexpr std::string_view messages[] = {"2probe", "5", "3", "1", "4hello", "4", "6", "0"};

class scene {
public:
    // Data is cut into pieces of these sizes, in turns; not at all if there are none.
    explicit scene(std::string_view sizes) : sizes_(sizes) {}

    void run(fuzz::input in) {
        while (!in.rest().empty()) {
            step(in);
            drain();
        }
        end();
    }

    // Whether the server was told to close before the end: which requests it takes then depends on when they are whole.
    [[nodiscard]] bool is_closing() const { return is_closing_; }
    // What has happened in each session, and what was asked of the application.
    friend bool operator==(scene const& a, scene const& b) { return a.log_ == b.log_ && a.pages_ == b.pages_; }

private:
    static constexpr std::size_t count = 4; // of connections

    static wire::server_options wire_options() {
        return {.limits = {.max_head = 600, .max_target = 200, .max_fields = 10},
                .cors = {.origins = {"*"}},
                .cookie = {.name = "io"},
                .other_paths = wire::other_paths::application};
    }
    static engineio::server_options engine_options() {
        return {.max_payload = 1'000, .max_queued = 5'000, .allow_v3 = true};
    }

    void step(fuzz::input& in) {
        auto const what = in.take();
        connection_id const id = in.take() % count;
        switch (what % 12) {
        case 0:
            if (open_.insert(id).second) io_.accepted(id, "10.0.0.1", now_);
            return;
        case 1: return give(id, in.take(in.take()));
        case 2: return give(id, filled(phrases[in.take() % std::size(phrases)]));
        case 3: return give(id, masked(websocket::opcode::text, messages[in.take() % std::size(messages)]));
        case 4: return give(id, masked(static_cast<websocket::opcode>(in.take() & 15u), in.take(in.take() % 100u)));
        case 5: return io_.ended(id, now_);
        case 6:
            io_.closed(id, now_);
            forget(id);
            return;
        case 7:
            if (open_.contains(id)) paused_.insert(id);
            return io_.pause(id);
        case 8: paused_.erase(id); return io_.resume(id);
        case 9: now_ += milliseconds(200) * in.take(); return io_.handle_timeout(now_);
        case 10:
            if (session_) io_->send(*session_, {frame_kind::text, in.take(in.take())}).ignore();
            return;
        default: return act(in.take());
        }
    }
    void act(std::uint8_t what) {
        if (what % 4 == 0 && session_) io_->close(*session_);
        if (what % 4 == 1 && !requests_.empty()) {
            io_.respond(requests_.back(), {.body = "page"}, now_).ignore();
            requests_.pop_back();
        }
        if (what == 255) {
            io_.close();
            is_closing_ = true;
        }
    }

    // Bytes arrive, each piece in memory of its own.
    void give(connection_id id, std::string_view bytes) {
        while (!bytes.empty()) {
            std::size_t const size =
                sizes_.empty() ? bytes.size() : static_cast<unsigned char>(sizes_[at_++ % sizes_.size()]);
            auto const piece = bytes.substr(0, std::max<std::size_t>(size, 1));
            bytes.remove_prefix(piece.size());
            memory_.reset(new char[piece.size()]);
            std::copy(piece.begin(), piece.end(), memory_.get());
            io_.received(id, {memory_.get(), piece.size()}, now_);
            if (!sizes_.empty()) drain();
        }
    }
    [[nodiscard]] std::string filled(std::string_view phrase) const {
        std::string text(phrase);
        auto const* const found = session_ ? io_->find(*session_) : nullptr;
        if (auto const star = text.find('*'); star != std::string::npos)
            text.replace(star, 1, found == nullptr ? "x" : found->id());
        return text;
    }
    static std::string masked(websocket::opcode code, std::string_view payload) {
        std::string frame;
        websocket::write_masked_frame(frame, code, payload, {'k', 'e', 'y', '!'}).ignore();
        return frame;
    }

    void drain() {
        for (;;) {
            while (auto const e = io_.poll_event()) note(*e);
            memory_.reset(); // whoever still looks at it is found out
            while (auto const r = io_.poll_request()) {
                pages_ += r->method + ' ' + r->target + '\n' + r->head + '\n' + r->body + '\n';
                requests_.push_back(r->exchange);
            }
            auto const t = io_.poll_transmit(buffer_);
            if (!t) return check_memory();
            check(open_.contains(t->connection));
            if (t->type == wire::transmit_type::close) forget(t->connection);
            if (t->type == wire::transmit_type::end) check(!paused_.contains(t->connection));
            if (t->type == wire::transmit_type::send) check(!t->data.empty() && !paused_.contains(t->connection));
        }
    }
    // Within the sum of the limits: what may come before its turn, and what a session may queue, each twice.
    void check_memory() const {
        std::size_t own = pages_.capacity() + buffer_.capacity() + log_.capacity() * sizeof log_.front();
        for (std::string const& log : log_) own += log.capacity();
        own += 200 * (sessions_.size() + open_.size() + requests_.size());
        std::size_t const limits = 150'000 * open_.size() + 15'000 * io_->connection_count() + 100'000;
        check(fuzz::memory_in_use() <= before_ + own + limits);
    }
    void note(engineio::server_event const& e) {
        session_ = e.session;
        auto const number = sessions_.emplace(key(e.session.index, e.session.generation), log_.size());
        if (number.second) log_.emplace_back();
        std::string& log = log_[number.first->second];
        log += '\n' + std::to_string(static_cast<int>(e.event.type)) + ' ';
        log += e.event.type == engineio::event_type::closed ? name(e.event.reason) : e.event.message.data;
    }
    void forget(connection_id id) {
        open_.erase(id);
        paused_.erase(id);
    }

    // Every connection ends by itself, whatever it was doing.
    void end() {
        io_.close();
        drain();
        for (int i = 0; !io_.is_done(); ++i) {
            check(i != 1'000);
            auto const at = io_.poll_timeout();
            if (!at) { // the application's answers are awaited
                check(!requests_.empty());
                act(1);
            } else {
                now_ = std::max(now_, *at);
                io_.handle_timeout(now_);
            }
            drain();
        }
        check(open_.empty() && io_.connection_count() == 0);
    }

    std::size_t before_ = fuzz::memory_in_use(); // first: the rest takes some
    std::string_view sizes_;
    std::size_t at_ = 0;
    time_point now_{std::chrono::hours(1)};
    wire::server<engineio::server> io_{engine_options(), wire_options(),
                                       [n = std::uint8_t{0}](std::span<std::byte> bytes) mutable {
                                           for (std::byte& b : bytes) b = static_cast<std::byte>(n++);
                                       },
                                       now_};
    std::set<connection_id> open_;
    std::set<connection_id> paused_;
    using key = std::pair<std::uint32_t, std::uint32_t>;
    std::map<key, std::size_t> sessions_; // in the order in which they began
    std::optional<engineio::session_handle> session_;
    std::vector<std::uint64_t> requests_;
    std::unique_ptr<char[]> memory_;
    std::vector<std::string> log_; // of each session
    std::string pages_;            // the requests for other paths
    std::string buffer_;
    bool is_closing_ = false;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::input in(data, size);
    auto const sizes = in.take(in.take() % 8u);
    scene whole({});
    whole.run(in);
    scene cut(sizes.empty() ? "\1" : sizes);
    cut.run(in);
    check(whole.is_closing() || whole == cut);
    return 0;
}
