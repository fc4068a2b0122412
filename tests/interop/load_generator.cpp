// load_generator echo|idle|broadcast|cluster --port N [option]...: clients over WebSocket that keep Socket.IO servers
// busy.
//
//     echo       has `--window` numbered messages under way on each connection, and wants each of them back, in order
//     idle       only connects, and answers pings
//     broadcast  has the server tell all of them something, `--times` times, and waits until all have it
//     cluster    shares its connections among several servers that act as one. One client of each has all of them told
//                something, with `--window` numbered broadcasts under way. Each client wants each of them, in order
//
// Prints a line of JSON. Exit code 1: something was lost, out of order, or not what was sent.
// The server answers the event message with message-back, and shout with shouted for all: socketio_server.cpp,
// peers/socketio_server.mjs and examples/epoll_server.cpp do.
#include "command_line.hpp"
#include "load_figures.hpp"
#include "load_pool.hpp"

#include <socketless/json/text.hpp>
#include <socketless/json/writer.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace socketless;
using std::chrono::seconds;

namespace {

struct load_options {
    std::string mode;
    std::vector<std::uint16_t> ports;
    std::uint32_t connections = 50;
    std::uint32_t connecting = 200;
    std::uint32_t before = 200;
    std::uint32_t window = 20;
    std::uint32_t seconds = 5;
    std::uint32_t warm_up = 1;
    std::uint32_t times = 20;
    std::vector<std::uint32_t> pids;
    bool frames = false;
};

// The load, and what it costs.
class load {
public:
    explicit load(load_options options)
        : options_(std::move(options)),
          pool_(options_.ports, [this](load_member& m, socketio::event& e) { take(m, e); }) {}

    int run() {
        if (options_.mode == "echo")
            echo();
        else if (options_.mode == "idle")
            idle();
        else if (options_.mode == "broadcast")
            broadcast();
        else
            cluster();
        return pool_.faults() == 0 ? 0 : 1;
    }

private:
    struct sample {
        time_point time = load_pool::clock::now();
        double server = 0;
        double own = own_cpu();
    };
    [[nodiscard]] sample take_sample() const {
        sample s;
        for (auto const pid : options_.pids) s.server += cpu_of(pid);
        return s;
    }

    void take(load_member& m, socketio::event const& e) {
        if (options_.mode == "cluster") return; // what the server says to whoever joins
        if (e.name() == "message-back") return take_echo(m, e);
        if (e.name() == "shouted") return take_broadcast(m, e);
    }

    //=== echo ===//

    void echo() {
        pool_.connect(options_.connections, options_.connecting);
        if (options_.frames)
            pool_.take_frames([this](load_member& m, std::string_view text) { return take_frame(m, text); });
        keeps_sending_ = true;
        for (auto& m : pool_.members()) {
            m.sent_at.resize(options_.window);
            for (std::uint32_t i = 0; i != options_.window; ++i) send(m);
            pool_.drive(m);
        }
        pool_.run_until(pool_.now() + seconds(options_.warm_up));
        round_trips_ = {};
        echoes_ = 0;
        auto const first = take_sample();
        pool_.run_until(first.time + seconds(options_.seconds));
        auto const last = take_sample();
        auto const count = static_cast<double>(echoes_);
        auto const round_trips = round_trips_;

        keeps_sending_ = false;
        pool_.run_until(pool_.now() + seconds(10), [&] { return lost() == 0 || pool_.faults() != 0; });
        auto const missing = lost();
        if (missing != 0) pool_.fault(std::to_string(missing) + " messages did not come back");

        double const time = std::chrono::duration<double, std::micro>(last.time - first.time).count();
        double const own = last.own - first.own;
        double const server = last.server - first.server;
        print("window", options_.window, "echoes", count, "lost", missing, "rate", count / time * 1e6, "round_trip",
              round_trips, "cost", server / count, "load", server / time * 100, "own_cost", own / count, "own_load",
              own / time * 100);
    }
    void send(load_member& m) {
        m.sent_at[m.sent % options_.window] = pool_.now();
        if (options_.frames) {
            put_frame(m.sent);
        } else if (auto const done = m.io->emit(m.socket, "message", m.sent, json::text::trusted(text_)); !done) {
            pool_.fault(message(done.error().code));
        }
        ++m.sent;
    }
    void put_frame(std::uint64_t number) {
        std::array<char, 20> digits{};
        auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
        frame_ = R"(42["message",)";
        frame_.append(digits.data(), end).append(",").append(text_).append("]");
        pool_.put_frame(frame_);
    }
    bool take_frame(load_member& m, std::string_view text) {
        constexpr std::string_view begin = R"(42["message-back",)";
        if (!text.starts_with(begin)) return false;
        auto const args = text.substr(begin.size());
        std::uint64_t number = 0;
        auto const end = std::from_chars(args.data(), args.data() + args.size(), number).ptr;
        auto const rest = args.substr(static_cast<std::size_t>(end - args.data()));
        bool const is_right = number == m.received && rest.size() == text_.size() + 2 && rest.front() == ',' &&
                              rest.substr(1, text_.size()) == text_;
        take_echo(m, is_right, text);
        return true;
    }
    void take_echo(load_member& m, socketio::event const& e) {
        auto const args = e.get<std::uint64_t, json::text>();
        bool const is_right = args && std::get<0>(*args) == m.received && std::get<1>(*args).raw() == text_;
        take_echo(m, is_right, e.packet.packet.data.raw());
    }
    void take_echo(load_member& m, bool is_right, std::string_view text) {
        if (!is_right || m.received == m.sent)
            return pool_.fault("instead of message " + std::to_string(m.received) + ": " + std::string(text));
        round_trips_.add(pool_.now() - m.sent_at[m.received % options_.window]);
        ++m.received;
        ++echoes_;
        if (keeps_sending_) send(m);
    }
    std::uint64_t lost() {
        std::uint64_t n = 0;
        for (auto const& m : pool_.members()) n += m.sent - m.received;
        return n;
    }

    //=== idle ===//

    void idle() {
        pool_.connect(options_.before, options_.connecting); // what the server needs once
        settle();
        double const before = memory();
        pool_.connect(options_.connections, options_.connecting);
        settle();
        double const each = (memory() - before) / options_.connections;
        auto const first = take_sample();
        pool_.run_until(pool_.now() + seconds(options_.seconds));
        auto const last = take_sample();
        double const time = std::chrono::duration<double, std::micro>(last.time - first.time).count();
        print("memory", each, "load", (last.server - first.server) / time * 100);
    }
    [[nodiscard]] double memory() const {
        double all = 0;
        for (auto const pid : options_.pids) all += memory_of(pid);
        return all;
    }
    void settle() { pool_.run_until(load_pool::clock::now() + milliseconds(500)); }

    //=== broadcast ===//

    void broadcast() {
        pool_.connect(options_.connections, options_.connecting);
        settle();
        if (options_.frames)
            pool_.take_frames([this](load_member& m, std::string_view text) { return take_shouted(m, text); });
        for (int i = 0; i != 3; ++i) shout(); // until all is warm
        round_trips_ = {};
        auto const first = take_sample();
        std::uint32_t done = 0;
        while (done != options_.times && shout()) ++done;
        auto const last = take_sample();
        double const time = std::chrono::duration<double, std::micro>(last.time - first.time).count();
        double const server = last.server - first.server;
        double const own = last.own - first.own;
        print("times", done, "until_all", round_trips_, "cost", server / done, "load", server / time * 100, "own_cost",
              own / done / options_.connections, "own_load", own / time * 100);
    }
    // Whether all have it.
    bool shout() {
        ++shouts_;
        heard_ = 0;
        // The event of packet P2 of bench/corpus.
        shouted_ =
            R"({"id":)" + std::to_string(shouts_) + R"(,"name":"Ada","tags":["a","b"],"ok":true,"pos":[1.5,-2.25]})";
        auto& speaker = pool_.members().front();
        auto const begin = load_pool::clock::now();
        auto const sent = speaker.io->emit(speaker.socket, "shout", json::text::trusted(shouted_));
        if (!sent) pool_.fault(message(sent.error().code));
        pool_.drive(speaker);
        bool const is_done = pool_.run_until(begin + seconds(10), [&] { return heard_ == pool_.members().size(); });
        round_trips_.add(last_heard_ - begin);
        if (!is_done) pool_.fault(std::to_string(pool_.members().size() - heard_) + " did not hear a broadcast");
        return is_done;
    }
    bool take_shouted(load_member& m, std::string_view text) {
        constexpr std::string_view begin = R"(42["shouted",)";
        if (!text.starts_with(begin)) return false;
        auto const arg = text.substr(begin.size());
        take_broadcast(m, arg.size() == shouted_.size() + 1 && arg.starts_with(shouted_), text);
        return true;
    }
    void take_broadcast(load_member& m, socketio::event const& e) {
        auto const text = e.get<json::text>();
        take_broadcast(m, text && text->raw() == shouted_, e.packet.packet.data.raw());
    }
    void take_broadcast(load_member& m, bool is_right, std::string_view text) {
        if (m.received + 1 != shouts_ || !is_right)
            return pool_.fault("instead of broadcast " + std::to_string(m.received + 1) + ": " + std::string(text));
        m.received = shouts_;
        ++heard_;
        last_heard_ = pool_.now();
    }

    //=== cluster ===//

    // A client that has its server tell all. There is one on each server.
    struct cluster_speaker {
        struct broadcast {
            time_point begin;
            std::size_t heard = 0;
        };
        load_member* member;
        std::vector<broadcast> under_way; // the place of number n is n % window
        std::uint64_t sent = 0;
        std::uint64_t done = 0; // heard by all
    };

    void cluster() {
        pool_.connect(options_.connections, options_.connecting);
        settle();
        pool_.take_frames([this](load_member& m, std::string_view text) { return take_numbered(m, text); });
        for (auto& m : pool_.members()) m.heard_of.resize(options_.ports.size());
        for (std::size_t i = 0; i != options_.ports.size(); ++i)
            speakers_.push_back({&pool_.members()[i], std::vector<cluster_speaker::broadcast>(options_.window)});

        speak(seconds(options_.warm_up));
        round_trips_ = {};
        std::uint64_t const before = deliveries_;
        auto const first = take_sample();
        speak(seconds(options_.seconds));
        auto const last = take_sample();
        auto const count = static_cast<double>(deliveries_ - before);
        auto const until_all = round_trips_;

        pool_.run_until(pool_.now() + seconds(10), [&] { return missing() == 0 || pool_.faults() != 0; });
        if (auto const n = missing(); n != 0) pool_.fault(std::to_string(n) + " broadcasts were not heard");
        settle(); // what comes now comes twice

        double const time = std::chrono::duration<double, std::micro>(last.time - first.time).count();
        double const own = last.own - first.own;
        double const server = last.server - first.server;
        print("servers", speakers_.size(), "window", options_.window, "deliveries", count, "missing", missing(), "rate",
              count / time * 1e6, "rate_of_core", count / server * 1e6, "until_all", until_all, "load",
              server / time * 100, "own_load", own / time * 100);
    }
    void speak(seconds duration) {
        pool_.run_until(load_pool::clock::now() + duration, [&] {
            for (std::size_t i = 0; i != speakers_.size(); ++i) speak(i);
            return pool_.faults() != 0;
        });
    }
    // As much as the window lets it.
    void speak(std::size_t which) {
        auto& s = speakers_[which];
        if (s.sent - s.done == options_.window) return;
        for (; s.sent - s.done != options_.window; ++s.sent) {
            s.under_way[s.sent % options_.window] = {pool_.now()};
            pool_.put_frame(R"(42["shout",{"id":)" + std::to_string(s.sent * speakers_.size() + which) + p2_);
        }
        pool_.drive(*s.member);
    }
    bool take_numbered(load_member& m, std::string_view text) {
        constexpr std::string_view begin = R"(42["shouted",{"id":)";
        if (!text.starts_with(begin)) return false;
        auto const rest = text.substr(begin.size());
        std::uint64_t id = 0;
        auto const end = std::from_chars(rest.data(), rest.data() + rest.size(), id).ptr;
        auto const which = static_cast<std::size_t>(id % speakers_.size());
        auto& s = speakers_[which];
        auto& next = m.heard_of[which];
        bool const is_right = rest.substr(static_cast<std::size_t>(end - rest.data())) == p2_ &&
                              id / speakers_.size() == next && next != s.sent;
        if (!is_right) {
            pool_.fault("instead of broadcast " + std::to_string(next) + " of speaker " + std::to_string(which) + ": " +
                        std::string(text));
            return true;
        }
        auto& b = s.under_way[next % options_.window];
        ++next;
        ++deliveries_;
        if (++b.heard != pool_.members().size()) return true;
        ++s.done;
        round_trips_.add(pool_.now() - b.begin);
        return true;
    }
    [[nodiscard]] std::uint64_t missing() const {
        std::uint64_t all = 0;
        for (auto const& s : speakers_) all += s.sent * options_.connections;
        return all - deliveries_;
    }

    // A line of JSON: names and values.
    template <class... Values>
    void print(Values const&... values) {
        std::string line;
        json::write(line, json::object("mode", options_.mode, "connections", options_.connections, "faults",
                                       pool_.faults(), values...))
            .ignore();
        std::printf("%s\n", line.c_str());
    }

    load_options options_;
    load_pool pool_;
    std::string text_ = R"({"from":"somebody","text":"the quick brown fox jumps over the lazy dog"})";
    std::string frame_;
    histogram round_trips_;
    std::uint64_t echoes_ = 0;
    bool keeps_sending_ = false;
    std::uint64_t shouts_ = 0;
    std::string shouted_;
    std::size_t heard_ = 0;
    time_point last_heard_{};
    std::vector<cluster_speaker> speakers_;
    std::uint64_t deliveries_ = 0;
    std::string p2_ = R"(,"name":"Ada","tags":["a","b"],"ok":true,"pos":[1.5,-2.25]}])"; // and an id before it
};

template <class Number>
void add_list(command_line& line, std::string_view name, std::vector<Number>& to) {
    line.option(name, "wants a number", [&to](std::string_view value) {
        auto const end = value.data() + value.size();
        auto const done = std::from_chars(value.data(), end, to.emplace_back());
        return done.ec == std::errc() && done.ptr == end;
    });
}

} // namespace

int main(int argc, char** argv) {
    load_options options;
    command_line line(R"(load_generator echo|idle|broadcast|cluster --port N [option]...
  --connections N     50
  --connecting N      how many connect at a time: 200
  --window N          echo: messages under way on each connection; cluster: broadcasts of each server: 20
  --seconds N         echo, idle, cluster: how long it is measured: 5
  --warm-up N         echo, cluster: seconds before that: 1
  --before N          idle: connections that are made before the memory is read: 200
  --times N           broadcast: 20
  --frames            echo, broadcast: once the clients are connected, the messages do not go through them, but are
                      written (those of echo) and read as frames of WebSocket, which costs less
  --pid N             the server, to read what it costs: CPU time and memory
--port and --pid may come several times.)");
    add_list(line, "--port", options.ports);
    line.option("--connections", options.connections);
    line.option("--connecting", options.connecting);
    line.option("--window", options.window);
    line.option("--seconds", options.seconds);
    line.option("--warm-up", options.warm_up);
    line.option("--before", options.before);
    line.option("--times", options.times);
    add_list(line, "--pid", options.pids);
    line.flag("--frames", options.frames);
    auto const alone = line.parse(argc, argv);
    constexpr std::array<std::string_view, 4> modes{"echo", "idle", "broadcast", "cluster"};
    if (alone.size() != 1 || std::ranges::count(modes, alone.front()) == 0)
        line.fail("one of echo, idle, broadcast, cluster is wanted");
    options.mode = alone.front();
    if (options.ports.empty() || options.ports.size() > options.connections)
        line.fail("--port is wanted, and no more ports than connections");
    if (options.connections == 0 || options.connecting == 0 || options.window == 0)
        line.fail("--connections, --connecting and --window cannot be 0");
    return load(std::move(options)).run();
}
