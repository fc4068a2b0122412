// The connections of load_generator.cpp: thousands of wire::client over WebSocket in one thread, on Linux's epoll.
#pragma once

#include <socketless/core/random.hpp>
#include <socketless/core/time.hpp>
#include <socketless/http/url.hpp>
#include <socketless/wire/client.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Masks and keys for a load: nobody needs to be kept from guessing them. (SplitMix64)
class load_random {
public:
    void operator()(std::span<std::byte> bytes) const noexcept {
        for (std::size_t at = 0; at < bytes.size(); at += sizeof state_) {
            std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
            z = (z ^ (z >> 30u)) * 0xbf58476d1ce4e5b9u;
            z = (z ^ (z >> 27u)) * 0x94d049bb133111ebu;
            z ^= z >> 31u;
            std::memcpy(bytes.data() + at, &z, std::min(sizeof z, bytes.size() - at));
        }
    }

private:
    inline static std::uint64_t state_ = 1;
};

/// A client, its connection, and what the load notes of it.
struct load_member {
    load_member(socketless::http::url const& url, socketless::client_options options, socketless::time_point now)
        : io(url, std::move(options), {}, load_random(), now) {}

    socketless::wire::client<> io;
    socketless::socketio::socket_handle socket = {};
    socketless::wire::connection_id connection = 0;
    std::uint16_t port = 0;
    int fd = -1;
    bool is_connecting = false; // TCP
    bool is_ready = false;      // the client has joined its namespace
    bool has_failed = false;
    std::string unsent = {};  // the rest of a write that is under way
    std::string partial = {}; // the frame that has yet to come whole, of those that the pool reads by itself

    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::vector<socketless::time_point> sent_at = {}; // of each message that is under way
    std::vector<std::uint64_t> heard_of = {};         // each speaker: how many broadcasts
};

/// Connects clients and moves their bytes.
class load_pool {
public:
    using clock = std::chrono::steady_clock;
    using handler = std::function<void(load_member&, socketless::socketio::event&)>;
    using frame_handler = std::function<bool(load_member&, std::string_view)>;

    /// The clients of servers on this machine, in turns. `handle` gets the events of their sockets.
    load_pool(std::vector<std::uint16_t> ports, handler handle) : ports_(std::move(ports)), handle_(std::move(handle)) {
        raise_limit();
    }

    std::deque<load_member>& members() noexcept { return members_; }
    /// When the bytes came that are being read.
    [[nodiscard]] socketless::time_point now() const noexcept { return now_; }
    /// How many things went wrong; the first of them are told on standard error.
    [[nodiscard]] std::uint64_t faults() const noexcept { return faults_; }
    void fault(std::string_view what) {
        if (++faults_ <= 10) std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
    }

    /// Connects `count` more clients, `most` of them under way at a time, and waits until all are ready or have failed.
    void connect(std::size_t count, std::size_t most) {
        std::size_t const end = members_.size() + count;
        while (members_.size() != end || under_way_ != 0) {
            while (members_.size() != end && under_way_ < most) add();
            turn(std::chrono::milliseconds(100));
        }
    }

    /// From now on the pool reads the frames of the WebSockets by itself, and gives their text to `handle`. The client
    /// gets those for which that returns false: pings, say.
    void take_frames(frame_handler handle) { take_frame_ = std::move(handle); }
    /// A frame with this text, of at most 125 bytes, goes out with the next `drive`. Its mask is zero.
    void put_frame(std::string_view text) {
        frames_.append({'\x81', static_cast<char>(0x80u | text.size()), 0, 0, 0, 0});
        frames_ += text;
    }

    /// Sends what the client has to send, and handles what it has to say.
    void drive(load_member& m) {
        for (;;) {
            while (auto e = m.io.poll_event()) take_event(m, *e);
            auto const t = m.io.poll_transmit(buffer_);
            if (!t) break;
            perform(m, *t);
        }
        if (frames_.empty()) return;
        if (m.unsent.empty())
            send_some(m, frames_);
        else
            m.unsent += frames_;
        frames_.clear();
    }

    /// Waits for input, not longer than this, and takes it. For one connection it waits without sleeping: to be woken
    /// would be a large part of what is measured.
    void turn(socketless::milliseconds wait) {
        auto const timeout = members_.size() == 1 ? 0 : std::clamp<std::int64_t>(wait.count(), 0, 100);
        int const count = epoll_wait(epoll_, ready_.data(), static_cast<int>(ready_.size()), static_cast<int>(timeout));
        for (int i = 0; i < count; ++i) {
            auto const& e = ready_[static_cast<std::size_t>(i)];
            take(*static_cast<load_member*>(e.data.ptr), e.events);
        }
        now_ = clock::now();
        if (now_ >= next_sweep_) sweep();
    }

    /// Takes turns until then, or until `is_done()`. Whether it is done.
    template <class Condition>
    bool run_until(socketless::time_point end, Condition is_done) {
        while (!is_done()) {
            now_ = clock::now();
            if (now_ >= end) return false;
            turn(std::chrono::ceil<socketless::milliseconds>(end - now_));
        }
        return true;
    }
    void run_until(socketless::time_point end) {
        run_until(end, [] { return false; });
    }

private:
    // As many files as the system allows.
    static void raise_limit() {
        rlimit limit{};
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }

    void add() {
        socketless::client_options options;
        options.transports = {socketless::engineio::transport::websocket};
        options.reconnection = false;
        auto const port = ports_[members_.size() % ports_.size()];
        auto& m = members_.emplace_back(url_, std::move(options), now_ = clock::now());
        m.port = port;
        ++under_way_;
        m.socket = m.io->connect().value();
        drive(m);
    }

    // The timers are those of heartbeats and of connecting: a second more or less does not matter to them.
    void sweep() {
        next_sweep_ = now_ + std::chrono::seconds(1);
        for (auto& m : members_) {
            auto const due = m.io.poll_timeout();
            if (!due || *due > now_) continue;
            m.io.handle_timeout(now_);
            drive(m);
        }
    }

    void take_event(load_member& m, socketless::socketio::event& e) {
        using socketless::socketio::event_type;
        switch (e.type) {
        case event_type::connected:
            m.is_ready = true;
            --under_way_;
            break;
        case event_type::event: return handle_(m, e);
        case event_type::connect_error: return fail(m, "refused: " + std::string(e.message.raw()));
        case event_type::open_failed:
        case event_type::closed: {
            auto const why =
                m.io.failure() != socketless::errc{} ? socketless::message(m.io.failure()) : name(e.reason);
            return fail(m, (m.is_ready ? "lost: " : "not connected: ") + std::string(why));
        }
        default: break;
        }
    }
    void fail(load_member& m, std::string_view what) {
        fault(what);
        if (!m.is_ready && !m.has_failed) --under_way_;
        m.is_ready = false;
        m.has_failed = true;
    }

    void take(load_member& m, std::uint32_t events) {
        if (m.fd < 0) return;
        if (m.is_connecting && !finish_connecting(m)) return drive(m);
        if ((events & EPOLLOUT) != 0 && !m.unsent.empty()) write_rest(m);
        auto const others = events & ~std::uint32_t{EPOLLOUT};
        if (others != 0) read_all(m, others != EPOLLIN);
        drive(m);
    }

    bool finish_connecting(load_member& m) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(m.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        m.is_connecting = false;
        if (error == 0) {
            m.io.connected(m.connection, clock::now());
            return true;
        }
        lose(m, error);
        return false;
    }
    void lose(load_member& m, int error) {
        fault(std::string("connection: ") + std::strerror(error));
        m.io.closed(m.connection, clock::now());
        forget(m);
    }

    void read_all(load_member& m, bool has_ended) {
        for (;;) {
            auto const size = recv(m.fd, input_.data(), input_.size(), 0);
            now_ = clock::now();
            if (size < 0 && errno == EAGAIN) return;
            if (size < 0) return lose(m, errno);
            if (size == 0) return m.io.ended(m.connection, now_);
            take_bytes(m, {input_.data(), static_cast<std::size_t>(size)});
            if (static_cast<std::size_t>(size) < input_.size() && !has_ended) return;
        }
    }

    void take_bytes(load_member& m, std::span<char> bytes) {
        if (!take_frame_) return give(m, bytes);
        if (m.partial.empty()) return keep(m, take_whole(m, bytes));
        m.partial.append(bytes.data(), bytes.size());
        auto joined = std::exchange(m.partial, {});
        keep(m, take_whole(m, joined));
    }
    void give(load_member& m, std::span<char> bytes) {
        m.io.received(m.connection, bytes, now_);
        while (auto e = m.io.poll_event()) take_event(m, *e); // then the bytes are free again
    }
    static void keep(load_member& m, std::span<char> rest) { m.partial.assign(rest.data(), rest.size()); }
    // All frames but the one that is not whole, which is returned. A frame of 64 KiB or more is none of a load.
    std::span<char> take_whole(load_member& m, std::span<char> bytes) {
        while (bytes.size() >= 4) {
            auto const octet = [&](std::size_t i) {
                return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i]));
            };
            bool const is_long = octet(1) == 126;
            std::size_t const head = is_long ? 4 : 2;
            std::size_t const size = is_long ? octet(2) << 8u | octet(3) : octet(1);
            if (bytes.size() < head + size) break;
            bool const is_text = octet(0) == 0x81;
            if (!is_text || !take_frame_(m, {bytes.data() + head, size})) give(m, bytes.first(head + size));
            bytes = bytes.subspan(head + size);
        }
        return bytes;
    }

    void perform(load_member& m, socketless::wire::transmit const& t) {
        using socketless::wire::transmit_type;
        switch (t.type) {
        case transmit_type::connect: return begin(m, t.connection);
        case transmit_type::send: return send_some(m, t.data);
        case transmit_type::end: shutdown(m.fd, SHUT_WR); return;
        case transmit_type::close: return forget(m);
        default: return; // TLS
        }
    }
    void begin(load_member& m, socketless::wire::connection_id connection) {
        m.connection = connection;
        m.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (m.fd < 0) return lose(m, errno);
        int const on = 1;
        setsockopt(m.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(m.port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        m.is_connecting = true;
        if (::connect(m.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS)
            return lose(m, errno);
        epoll_event e{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.ptr = &m}};
        epoll_ctl(epoll_, EPOLL_CTL_ADD, m.fd, &e);
    }
    void send_some(load_member& m, std::string_view bytes) {
        m.unsent = write(m.fd, bytes);
        if (!m.unsent.empty()) m.io.pause(m.connection);
    }
    void write_rest(load_member& m) {
        m.unsent = std::string(write(m.fd, m.unsent));
        if (m.unsent.empty()) m.io.resume(m.connection);
    }
    static std::string_view write(int fd, std::string_view bytes) { // returns the rest; an error is heard by reading
        auto const size = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        return bytes.substr(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    }
    static void forget(load_member& m) {
        if (m.fd >= 0) close(m.fd);
        m.fd = -1;
        m.unsent.clear();
    }

    socketless::http::url url_ = socketless::http::parse_url("http://localhost/").value();
    std::vector<std::uint16_t> ports_;
    handler handle_;
    frame_handler take_frame_;
    std::string frames_;              // of the client that is being driven
    std::deque<load_member> members_; // they stay where they are
    std::size_t under_way_ = 0;
    std::uint64_t faults_ = 0;
    int epoll_ = epoll_create1(EPOLL_CLOEXEC);
    std::array<epoll_event, 512> ready_{};
    socketless::time_point now_ = clock::now();
    socketless::time_point next_sweep_ = now_ + std::chrono::seconds(1);
    std::string input_ = std::string(64 * 1024, '\0');
    std::string buffer_;
};
