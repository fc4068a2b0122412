// A wire::client before servers, a proxy and a network that do what they like: however their bytes are cut, the same
// things happen; each request has one outcome, each WebSocket one end; memory stays within the sum of the limits; all
// ends.

#include "input.hpp"

#include <socketless/engineio/client_session.hpp>
#include <socketless/http/url.hpp>
#include <socketless/websocket/frame.hpp>
#include <socketless/websocket/handshake.hpp>
#include <socketless/wire/client.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
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
using engineio::transport;
using fuzz::check;
using wire::connection_id;

// An Engine.IO session that checks its carrier.
class watched_session : public engineio::client_session {
public:
    using client_session::client_session;

    void http_response(engineio::exchange_id id, int status, bool is_binary, std::span<char> body, time_point now) {
        fuzz::check(exchanges.erase(id) == 1);
        client_session::http_response(id, status, is_binary, body, now);
    }
    void http_failed(engineio::exchange_id id, time_point now) {
        fuzz::check(exchanges.erase(id) == 1);
        client_session::http_failed(id, now);
    }
    void channel_opened(engineio::channel_id id, time_point now) {
        fuzz::check(opening.erase(id) == 1 && channels.insert(id).second);
        client_session::channel_opened(id, now);
    }
    void websocket_received(engineio::channel_id id, frame message, time_point now, text_check text) {
        fuzz::check(channels.contains(id));
        client_session::websocket_received(id, message, now, text);
    }
    void channel_closed(engineio::channel_id id, time_point now) {
        fuzz::check(opening.erase(id) + channels.erase(id) == 1);
        client_session::channel_closed(id, now);
    }
    void channel_refused(engineio::channel_id id, int status, std::string_view body, time_point now) {
        fuzz::check(opening.erase(id) == 1);
        client_session::channel_refused(id, status, body, now);
    }
    std::optional<engineio::transmit> poll_transmit(std::string& buffer) {
        using engineio::transmit_type;
        auto const t = client_session::poll_transmit(buffer);
        if (!t) return t;
        if (t->type == transmit_type::get || t->type == transmit_type::post) exchanges.insert(t->id);
        if (t->type == transmit_type::open_websocket) opening.insert(t->id);
        if (t->type == transmit_type::abort) exchanges.erase(t->id);
        if (t->type == transmit_type::close && opening.erase(t->id) == 0) channels.erase(t->id);
        return t;
    }
    [[nodiscard]] bool is_done() const { return exchanges.empty() && opening.empty() && channels.empty(); }

private:
    std::set<std::uint64_t> exchanges;
    std::set<std::uint64_t> opening;
    std::set<std::uint64_t> channels;
};

// What takes long to find by chance.
constexpr std::string_view phrases[] = {
    "HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n4hi",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n4hi\r\n0\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\n\r\n{}",
    "HTTP/1.1 200 OK\r\nContent-Length: 91\r\n\r\n"
    R"(0{"sid":"a","upgrades":["websocket"],"pingInterval":2500,"pingTimeout":2000,"maxPayload":9})",
};
constexpr std::string_view messages[] = {
    R"(0{"sid":"a","upgrades":[],"pingInterval":2500,"pingTimeout":2000,"maxPayload":1000})",
    "3probe",
    "2",
    "4hello",
    "1",
    "6"};

class scene {
public:
    // Data is cut into pieces of these sizes, in turns; not at all if there are none.
    scene(std::string_view sizes, std::uint8_t kind)
        : sizes_(sizes), io_(*http::parse_url(kind % 2 == 0 ? "http://a" : "https://a"), engine_options(kind),
                             wire_options(kind), random(), now_) {}

    void run(fuzz::input in) {
        while (!in.rest().empty()) {
            step(in);
            drain();
        }
        end();
    }

    // What has happened in the session, and what was sent.
    friend bool operator==(scene const& a, scene const& b) { return a.log_ == b.log_; }

private:
    struct peer {
        connection_id id = 0;
        std::string sent = {};
        bool is_connected = false;
        bool is_paused = false;
        bool is_closed = false;
    };

    static random_source random() {
        return [n = std::uint8_t{0}](std::span<std::byte> bytes) mutable {
            for (std::byte& b : bytes) b = static_cast<std::byte>(n++);
        };
    }
    static engineio::client_options engine_options(std::uint8_t kind) {
        engineio::client_options o{.max_payload = 1'000, .max_queued = 5'000};
        if (kind % 8 < 3) o.transports = {transport::websocket};
        if (kind % 8 == 3) o.transports = {transport::polling};
        return o;
    }
    static wire::client_options wire_options(std::uint8_t kind) {
        wire::client_options o{.limits = {.max_head = 600, .max_fields = 10}, .max_write = 100};
        if (kind % 3 == 0) o.proxy = "http://user@proxy:1";
        return o;
    }

    void step(fuzz::input& in) {
        auto const what = in.take();
        if (io_->is_closed() && what % 4 == 0) io_->open(now_).ignore();
        if (what % 12 == 9) return pass(milliseconds(100) * in.take());
        if (what % 12 == 10) return io_->send({frame_kind::binary, in.take(in.take())}, now_).ignore();
        if (what == 11) return io_->close(now_);
        if (peers_.empty()) return;
        peer& p = peers_[peers_.size() - 1 - in.take() % std::min<std::size_t>(peers_.size(), 4)];
        if (p.is_closed) return;
        switch (what % 12) {
        case 0:
        case 1: p.is_connected = true; return io_.connected(p.id, now_);
        case 2: return give(p, in.take(in.take()));
        case 3: return give(p, phrases[in.take() % std::size(phrases)]);
        case 4: return give(p, agreement(p));
        case 5: return give(p, framed(websocket::opcode::text, messages[in.take() % std::size(messages)]));
        case 6: return give(p, framed(static_cast<websocket::opcode>(in.take() & 15u), in.take(in.take() % 100u)));
        case 7: return io_.ended(p.id, now_);
        case 8: p.is_closed = true; return io_.closed(p.id, now_);
        default: p.is_paused = !p.is_paused; return p.is_paused ? io_.pause(p.id) : io_.resume(p.id);
        }
    }

    // Bytes arrive, each piece in memory of its own.
    void give(peer const& p, std::string_view bytes) {
        while (!bytes.empty()) {
            std::size_t const size =
                sizes_.empty() ? bytes.size() : static_cast<unsigned char>(sizes_[at_++ % sizes_.size()]);
            auto const piece = bytes.substr(0, std::max<std::size_t>(size, 1));
            bytes.remove_prefix(piece.size());
            auto& memory = memory_.emplace_back(new char[piece.size()]);
            std::copy(piece.begin(), piece.end(), memory.get());
            io_.received(p.id, {memory.get(), piece.size()}, now_);
        }
    }
    static std::string agreement(peer const& p) {
        constexpr std::string_view name = "Sec-WebSocket-Key: ";
        auto const key = p.sent.rfind(name);
        if (key == std::string::npos) return {};
        auto const accept = websocket::accept_of(std::string_view(p.sent).substr(key + name.size(), 24));
        return "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: " +
               std::string(accept.data(), accept.size()) + "\r\n\r\n";
    }
    static std::string framed(websocket::opcode code, std::string_view payload) {
        std::string bytes;
        websocket::write_frame(bytes, code, payload).ignore();
        return bytes;
    }
    void pass(milliseconds time) {
        now_ += time;
        io_.handle_timeout(now_);
    }

    void drain() {
        for (;;) {
            while (auto const e = io_.poll_event()) note(*e);
            memory_.clear(); // whoever still looks at it is found out
            auto const t = io_.poll_transmit(buffer_);
            if (!t) return check_memory();
            perform(*t);
        }
    }
    // Within the sum of the limits: an answer or a message on each connection, and what the session queues, twice.
    void check_memory() const {
        std::size_t own = log_.capacity() + buffer_.capacity() + peers_.capacity() * sizeof peers_.front();
        for (peer const& p : peers_) own += p.sent.capacity();
        check(fuzz::memory_in_use() <= before_ + own + 5'000 * io_.connection_count() + 50'000);
    }
    void note(engineio::event const& e) {
        log_ += '\n' + std::to_string(static_cast<int>(e.type)) + ' ';
        log_ += e.type == engineio::event_type::closed ? name(e.reason) : e.message.data;
    }
    void perform(wire::transmit const& t) {
        auto const found =
            std::find_if(peers_.begin(), peers_.end(), [&t](peer const& p) { return p.id == t.connection; });
        log_ += '\n' + std::to_string(found - peers_.begin()) + ' ' + std::to_string(static_cast<int>(t.type));
        if (t.type == wire::transmit_type::connect) {
            check(found == peers_.end());
            return peers_.push_back({.id = t.connection});
        }
        check(found != peers_.end() && !found->is_closed);
        if (t.type == wire::transmit_type::close) found->is_closed = true;
        if (t.type != wire::transmit_type::send) return;
        check(found->is_connected && !found->is_paused && !t.data.empty());
        found->sent += t.data;
        log_ += t.data;
    }

    // Everything ends by itself, whatever it was doing.
    void end() {
        io_->abort();
        drain();
        for (int i = 0; io_.poll_timeout(); ++i) {
            check(i != 1'000);
            now_ = std::max(now_, *io_.poll_timeout());
            io_.handle_timeout(now_);
            drain();
        }
        check(io_->is_closed() && io_->is_done() && io_.connection_count() == 0);
        check(std::all_of(peers_.begin(), peers_.end(), [](peer const& p) { return p.is_closed; }));
    }

    std::size_t before_ = fuzz::memory_in_use(); // first: the rest takes some
    std::string_view sizes_;
    std::size_t at_ = 0;
    time_point now_{std::chrono::hours(1)};
    wire::client<watched_session> io_;
    std::vector<peer> peers_;
    std::vector<std::unique_ptr<char[]>> memory_;
    std::string log_;
    std::string buffer_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::input in(data, size);
    auto const kind = in.take();
    auto const sizes = in.take(in.take() % 8u);
    scene whole({}, kind);
    whole.run(in);
    scene cut(sizes.empty() ? "\1" : sizes, kind);
    cut.run(in);
    check(whole == cut);
    return 0;
}
