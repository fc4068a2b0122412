// session_bench: the cost of sessions: messages between an Engine.IO client and server joined in memory, the memory and
// the heartbeat of very many idle ones; events between whole stacks, their memory, and a broadcast.
//
//     session_bench --ratio      whole stacks against the codecs alone: medians of interleaved rounds
//     session_bench --crowd      1,000,000 connected sockets
//     session_bench --broadcast  one event to 100,000 sockets

#include "corpus.hpp"
#include "stack_bench.hpp"

#include <socketless/engineio/client_session.hpp>
#include <socketless/engineio/server.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::size_t allocations = 0;

void* counted(std::size_t size) {
    ++allocations;
    void* const memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) std::abort();
    return memory;
}

} // namespace

void* operator new(std::size_t size) {
    return counted(size);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace {

using namespace socketless;
using namespace socketless::engineio;
using bench::counting;
using engineio::server;

constexpr std::string_view websocket_target = "/engine.io/?EIO=4&transport=websocket";

// Polls all transmits of a server and drops them; returns how many there were.
std::size_t drain(server& s, std::string& buffer) {
    std::size_t transmits = 0;
    for (;;) {
        if (s.poll_event()) continue;
        if (!s.poll_transmit(buffer)) return transmits;
        ++transmits;
    }
}

// A client and a server joined without a network: what one transmits the other receives at once.
class pair {
public:
    explicit pair(transport t) : server_({}, counting()), client_({.transports = {t}}) {
        if (!client_.open(now_)) std::abort();
        settle();
        if (!client_.is_open()) std::abort();
    }

    // Sends from both sides and delivers; returns how many messages have arrived.
    std::size_t exchange(frame message) {
        std::size_t const before = received_;
        if (!client_.send(message, now_) || !server_.send(session_, message)) std::abort();
        settle();
        return received_ - before;
    }

private:
    // Polls and delivers until only a GET is left, which waits for the server's next message.
    void settle() {
        for (bool busy = true; busy;) {
            busy = false;
            while (auto const t = client_.poll_transmit(client_buffer_)) {
                deliver_to_server(*t);
                busy = true;
            }
            while (client_.poll_event()) busy = true;
            take_server_events();
            while (auto const t = server_.poll_transmit(server_buffer_)) {
                deliver_to_client(*t);
                take_server_events();
                busy = true;
            }
        }
    }

    void deliver_to_server(transmit const& t) {
        switch (t.type) {
        case transmit_type::get: server_.http_received({.exchange = t.id, .target = t.target}, now_); break;
        case transmit_type::post:
            body_ = t.data.data;
            server_.http_received({.exchange = t.id, .method = http_method::post, .target = t.target, .body = body_},
                                  now_);
            break;
        case transmit_type::open_websocket:
            server_.websocket_opened(t.id, t.target, now_);
            client_.channel_opened(t.id, now_);
            break;
        case transmit_type::send: server_.websocket_received(t.id, t.data, now_); break;
        default: break;
        }
        take_server_events();
    }

    void take_server_events() {
        while (auto const e = server_.poll_event()) {
            session_ = e->session;
            if (e->event.type == event_type::message) ++received_;
        }
    }

    void deliver_to_client(transmit const& t) {
        if (t.type == transmit_type::respond) {
            answer_ = t.data.data;
            client_.http_response(t.id, t.status, t.content == content_type::binary, answer_, now_);
        } else if (t.type == transmit_type::send) {
            client_.websocket_received(t.id, t.data, now_);
        }
        while (auto const e = client_.poll_event())
            if (e->type == event_type::message) ++received_;
    }

    time_point now_{};
    server server_;
    client_session client_;
    session_handle session_;
    std::size_t received_ = 0;
    std::string client_buffer_;
    std::string server_buffer_;
    std::string body_;
    std::string answer_;
};

void messages(benchmark::State& state, transport t) {
    pair joined(t);
    std::string const text(static_cast<std::size_t>(state.range(0)), 'x');
    std::size_t received = 0;
    for (auto _ : state) received += joined.exchange({frame_kind::text, text});
    if (received != 2 * static_cast<std::size_t>(state.iterations())) std::abort();
    state.SetItemsProcessed(static_cast<std::int64_t>(received));
}
BENCHMARK_CAPTURE(messages, websocket, transport::websocket)->Arg(32)->Arg(1024);
BENCHMARK_CAPTURE(messages, polling, transport::polling)->Arg(32)->Arg(1024);

std::size_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::size_t total = 0;
    std::size_t resident = 0;
    statm >> total >> resident;
    return resident * 4096;
}

// A server with very many idle sessions over WebSocket, all timers armed.
class crowd {
public:
    explicit crowd(std::size_t size)
        : size_(size), server_(std::make_unique<server>(engineio::server_options{}, counting())) {
        std::size_t const before = resident_bytes();
        for (std::size_t i = 0; i != size; ++i) {
            server_->websocket_opened(i, websocket_target, now_);
            drain(*server_, buffer_);
        }
        bytes_ = resident_bytes() - before;
        if (server_->connection_count() != size) std::abort();
    }

    // Every session pings and is answered.
    void heartbeat() {
        now_ += server_->options().ping_interval + std::chrono::seconds(1);
        server_->handle_timeout(now_);
        if (drain(*server_, buffer_) != size_) std::abort();
        for (std::size_t i = 0; i != size_; ++i) {
            server_->websocket_received(i, {frame_kind::text, "3"}, now_);
            drain(*server_, buffer_);
        }
        if (server_->connection_count() != size_) std::abort();
    }

    [[nodiscard]] server const& sessions() const { return *server_; }
    [[nodiscard]] double bytes_each() const { return static_cast<double>(bytes_) / static_cast<double>(size_); }

private:
    std::size_t size_;
    time_point now_{};
    std::unique_ptr<server> server_;
    std::string buffer_;
    std::size_t bytes_ = 0;
};

// One crowd for all benchmarks of a size: filling it is the slow part.
crowd& crowd_of(std::size_t size) {
    static std::unique_ptr<crowd> current;
    static std::size_t current_size = 0;
    if (current_size != size) {
        current.reset();
        current = std::make_unique<crowd>(size);
        current_size = size;
    }
    return *current;
}

void heartbeat_round(benchmark::State& state) {
    auto const size = static_cast<std::size_t>(state.range(0));
    crowd& idle = crowd_of(size);
    for (auto _ : state) idle.heartbeat();
    state.SetItemsProcessed(static_cast<std::int64_t>(size) * state.iterations());
    state.counters["bytes_per_session"] = idle.bytes_each();
    state.counters["per_session"] = benchmark::Counter(
        static_cast<double>(size), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(heartbeat_round)->Arg(1'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

void poll_timeout(benchmark::State& state) {
    server const& sessions = crowd_of(static_cast<std::size_t>(state.range(0))).sessions();
    for (auto _ : state) benchmark::DoNotOptimize(sessions.poll_timeout());
}
BENCHMARK(poll_timeout)->Arg(1'000'000)->Arg(1'000);

//=== whole stacks ===//

// Events that a client emits and the server emits back, with the codecs' share of the work beside it. The rounds are
// interleaved, so that other load on the machine slows all alike.
void print_ratio() {
    bench::corpus const corpus;
    bench::joined_stacks stacks(corpus);
    bench::codecs_alone codecs(corpus);
    for (std::size_t const i : {std::size_t{0}, std::size_t{1}, std::size_t{4}}) {
        std::vector<double> through_stacks;
        std::vector<double> alone;
        for (int round = 0; round != 501; ++round) {
            through_stacks.push_back(bench::time_of([&] { return stacks.exchange(i); }, 500));
            alone.push_back(bench::time_of([&] { return codecs.exchange(i); }, 500));
        }
        std::size_t const before = allocations;
        for (int n = 0; n != 1'000; ++n) bench::require(stacks.exchange(i), "an event is lost");
        double const each = static_cast<double>(allocations - before) / 2'000;
        std::printf(
            "P%zu, there and back, median of %zu interleaved rounds: stacks %.0f ns, codecs alone %.0f ns: %.2f "
            "times; %.2f allocations an event\n",
            i + 1, alone.size(), bench::median(through_stacks), bench::median(alone),
            bench::median(through_stacks) / bench::median(alone), each);
    }
}

void print_crowd() {
    constexpr std::size_t size = 1'000'000;
    std::size_t const before = resident_bytes();
    bench::crowd_of_sockets crowd(size);
    std::size_t const connected = resident_bytes();
    crowd.heartbeat();
    std::size_t const idle = resident_bytes();
    auto const each = [&](std::size_t now) { return static_cast<double>(now - before) / size; };
    std::printf("%zu sockets in one namespace and one room: %.0f bytes each just connected, %.0f after a heartbeat\n",
                size, each(connected), each(idle));
}

void print_broadcast() {
    constexpr std::size_t size = 100'000;
    using std::chrono::steady_clock;
    bench::corpus const corpus;
    bench::values const values(corpus);
    bench::crowd_of_sockets crowd(size);
    auto const each = [](steady_clock::duration d) {
        return std::chrono::duration<double, std::nano>(d).count() / size;
    };
    std::vector<double> queued;
    std::vector<double> taken;
    std::vector<double> one_by_one;
    std::size_t own_bytes = 0;
    for (int round = 0; round != 31; ++round) {
        auto const start = steady_clock::now();
        bench::require(crowd.broadcast(values.ada) == size, "not all are sent to");
        auto const middle = steady_clock::now();
        own_bytes += crowd.drain();
        auto const end = steady_clock::now();
        bench::require(crowd.transmits() == size, "not all are sent to");
        queued.push_back(each(middle - start));
        taken.push_back(each(end - middle));
        auto const again = steady_clock::now();
        bench::require(crowd.emit_to_each(values.ada) == size, "not all are sent to");
        crowd.drain();
        one_by_one.push_back(each(steady_clock::now() - again));
    }
    double const broadcast = bench::median(queued) + bench::median(taken);
    std::printf(
        "P2 to %zu sockets, median of %zu interleaved rounds: %.0f ns a receiver to queue, %.0f ns more to take from "
        "the server; %zu bytes copied\nemitted to each: %.0f ns a receiver; the broadcast takes %.2f of that\n",
        size, queued.size(), bench::median(queued), bench::median(taken), own_bytes, bench::median(one_by_one),
        broadcast / bench::median(one_by_one));
}

} // namespace

int main(int argc, char** argv) {
    std::string_view const what = argc == 2 ? argv[1] : "";
    if (what == "--ratio") return print_ratio(), 0;
    if (what == "--crowd") return print_crowd(), 0;
    if (what == "--broadcast") return print_broadcast(), 0;
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
