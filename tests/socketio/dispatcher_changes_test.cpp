// What handlers do to the dispatcher that calls them: they come, go, and throw.

#include "drivers/dispatching.hpp"
#include "drivers/stacks.hpp"
#include "tools/catch.hpp"
#include "tools/random.hpp"

#include <socketless/socketio/dispatcher.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace socketio_dispatcher_changes_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace support::dispatching;

namespace {

// Does something when it is destroyed.
class at_end {
public:
    explicit at_end(std::function<void()> f) : f_(std::make_unique<std::function<void()>>(std::move(f))) {}
    at_end(at_end&&) = default;
    at_end& operator=(at_end&&) = default;
    ~at_end() {
        if (f_) (*f_)();
    }

private:
    std::unique_ptr<std::function<void()>> f_;
};

} // namespace

//=== coming and going ===//

TEST_CASE("what is registered once is called once", "[socketio]") {
    dispatcher d;
    calls log;
    auto const id = d.once("a", noting(log, "a"));
    d.once(event_type::connected, noting(log, "connected"));
    d.once(moved, [&](int, std::string_view) { log.emplace_back("moved"); });
    for (int i = 0; i != 2; ++i) {
        CHECK(dispatch(d, R"(2["a"])") == (i == 0));
        CHECK(dispatch(d, event_type::connected) == (i == 0));
        CHECK(dispatch(d, R"(2["moved",1,"north"])") == (i == 0));
    }
    CHECK(log == calls{"a", "connected", "moved"});
    CHECK_FALSE(d.off(id));
}

TEST_CASE("what is registered once waits for arguments that fit", "[socketio]") {
    dispatcher d;
    calls log;
    auto const first = d.once(moved, [&](int, std::string_view) { log.emplace_back("first"); });
    d.on(moved, [&](event&) { log.emplace_back("second"); });
    CHECK(dispatch(d, R"(2["moved"])"));
    CHECK(dispatch(d, R"(2["moved",1,"north"])"));
    CHECK(log == calls{"second", "first", "second"});
    CHECK_FALSE(d.off(first));
}

TEST_CASE("what is registered once is removed before it is called", "[socketio]") {
    dispatcher d;
    int count = 0;
    registration id{};
    id = d.once("a", [&](event&) {
        ++count;
        CHECK_FALSE(d.off(id));
        CHECK_FALSE(dispatch(d, R"(2["a"])"));
    });
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(count == 1);
}

TEST_CASE("a handler is removed by its registration, by its name or by its type", "[socketio]") {
    dispatcher d;
    calls log;
    auto const a1 = d.on("a", noting(log, "a 1"));
    d.on("a", noting(log, "a 2"));
    auto const a3 = d.on("a", noting(log, "a 3"));
    d.on("b", noting(log, "b"));
    auto const any = d.on_any(noting(log, "any"));
    d.on(event_type::connected, noting(log, "connected"));
    CHECK(d.off(a1));
    CHECK_FALSE(d.off(a1));
    CHECK_FALSE(d.off(registration{}));
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(log == calls{"any", "a 2", "a 3"});
    log.clear();

    CHECK(d.off("a"));
    CHECK_FALSE(d.off("a"));
    CHECK_FALSE(d.off(a3));
    CHECK_FALSE(d.off("connected"));
    CHECK(d.off(any));
    CHECK_FALSE(d.off(event_type::event));
    CHECK_FALSE(dispatch(d, R"(2["a"])"));
    CHECK(dispatch(d, R"(2["b"])"));
    CHECK(d.off(event_type::connected));
    CHECK_FALSE(dispatch(d, event_type::connected));
    CHECK(log == calls{"b"});
}

TEST_CASE("handlers that are registered during a dispatch are called by the next one", "[socketio]") {
    dispatcher d;
    calls log;
    d.on_any([&](event&) {
        if (!log.empty()) return;
        d.on_any(noting(log, "new, any"));
        d.on("a", noting(log, "new, by name, before"));
        log.emplace_back("any");
    });
    d.on("a", [&](event&) {
        d.on("a", noting(log, "new"));
        d.on("aa", noting(log, "another")); // behind it in any order of names
        log.emplace_back("old");
    });
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(log == calls{"any", "old"});
    log = {"again"};
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(log == calls{"again", "new, any", "old", "new, by name, before", "new"});
}

TEST_CASE("handlers that are removed during a dispatch are not called any more by it", "[socketio]") {
    dispatcher d;
    calls log;
    registration next{};
    d.on_any([&](event&) { d.off("b"); });
    d.on("a", [&](event&) {
        CHECK(d.off(next));
        CHECK_FALSE(d.off(next));
        log.emplace_back("first");
    });
    next = d.on("a", noting(log, "second"));
    d.on("a", noting(log, "third"));
    d.on("b", noting(log, "b"));
    CHECK(dispatch(d, R"(2["b"])")); // on_any's
    CHECK(log.empty());
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(log == calls{"first", "third"});
}

TEST_CASE("a handler may remove itself, all others, and register itself again", "[socketio]") {
    dispatcher d;
    calls log;
    registration self{};
    std::string const text = "longer than what a string holds within itself";
    self = d.on("a", [&, text](event&) {
        d.off(self);
        log.push_back(text); // it is still there
    });
    d.on("a", [&, text](event&) {
        d.off("a");
        d.on("a", noting(log, "new"));
        log.push_back(text);
    });
    d.on("a", noting(log, "never"));
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(log == calls{text, text});
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(log == calls{text, text, "new"});
}

TEST_CASE("a handler may dispatch, also to itself", "[socketio]") {
    dispatcher d;
    calls log;
    int depth = 0;
    d.on("a", [&](event&) {
        log.push_back("a " + std::to_string(depth));
        if (++depth != 3) CHECK(dispatch(d, R"(2["a"])"));
        if (depth == 3) d.off("b");
    });
    d.on("a", noting(log, "end"));
    d.on("b", noting(log, "b"));
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(log == calls{"a 0", "a 1", "a 2", "end", "end", "end"});
    CHECK_FALSE(dispatch(d, R"(2["b"])"));
}

TEST_CASE("a removed handler is destroyed at once, or when the dispatch is over that it may be running in",
          "[socketio]") {
    dispatcher d;
    auto const held = std::make_shared<int>();
    auto const id = d.on("a", [held](event&) {});
    CHECK(held.use_count() == 2);
    d.off(id);
    CHECK(held.use_count() == 1);

    d.once("a", [held](event&) {});
    d.on("a", [&, held](event&) {
        d.off("a");
        CHECK(held.use_count() == 3);
    });
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(held.use_count() == 1);
}

TEST_CASE("what a handler holds may come back to the dispatcher when it is destroyed", "[socketio]") {
    dispatcher d;
    calls log;
    auto const last = d.on("a", noting(log, "last"));
    for (int i = 0; i != 3; ++i)
        d.on("a", [end = at_end([&d, &log, last] {
                       d.off(last);
                       CHECK(d.off(d.on("a", [](event&) {}))); // in the middle of another removal
                       d.on("b", noting(log, "b"));
                       CHECK_FALSE(dispatch(d, R"(2["a"])"));
                   })](event&) {});
    CHECK(d.off("a"));
    CHECK(dispatch(d, R"(2["b"])"));
    CHECK(log == calls{"b", "b", "b"});
}

TEST_CASE("a dispatcher that is moved keeps its handlers", "[socketio]") {
    dispatcher d;
    calls log;
    auto const id = d.on("a", noting(log, "a"));
    dispatcher other = std::move(d);
    CHECK(dispatch(other, R"(2["a"])"));
    CHECK(other.off(id));
    other = dispatcher();
    CHECK_FALSE(dispatch(other, R"(2["a"])"));
    static_assert(!std::is_copy_constructible_v<dispatcher> && !std::is_copy_assignable_v<dispatcher>);
}

namespace {

// A dispatcher that is slow and simple: each dispatch goes over a copy.
class model {
public:
    std::size_t add(std::string const& name, bool once, std::function<void()> f) {
        all_.push_back({next_, name, once, std::move(f)});
        return next_++;
    }
    bool off(std::size_t id) {
        return std::erase_if(all_, [id](handler const& h) { return h.id == id; }) != 0;
    }
    bool off(std::string const& name) {
        return std::erase_if(all_, [&](handler const& h) { return h.name == name; }) != 0;
    }
    bool dispatch(std::string const& name) {
        bool any = false;
        for (handler const& h : std::vector(all_)) {
            auto const is_it = [&h](handler const& other) { return other.id == h.id; };
            if (h.name != name || std::none_of(all_.begin(), all_.end(), is_it)) continue;
            if (h.once) off(h.id);
            h.f();
            any = true;
        }
        return any;
    }

private:
    struct handler {
        std::size_t id;
        std::string name;
        bool once;
        std::function<void()> f;
    };

    std::vector<handler> all_;
    std::size_t next_ = 0;
};

// The real dispatcher behind the same functions.
class real {
public:
    std::size_t add(std::string const& name, bool once, std::function<void()> f) {
        auto handler = [f = std::move(f)](event&) { f(); };
        ids_.push_back(once ? dispatcher_.once(name, std::move(handler)) : dispatcher_.on(name, std::move(handler)));
        return ids_.size() - 1;
    }
    bool off(std::size_t id) { return dispatcher_.off(ids_[id]); }
    bool off(std::string const& name) { return dispatcher_.off(name); }
    bool dispatch(std::string const& name) {
        return support::dispatching::dispatch(dispatcher_, "2[\"" + name + "\"]");
    }

private:
    dispatcher dispatcher_;
    std::vector<registration> ids_;
};

// Does random things, from outside and in handlers; returns calls and results in their order.
template <class Dispatcher>
std::vector<std::size_t> random_history(std::uint64_t seed) {
    support::random_source random(seed);
    Dispatcher d;
    std::vector<std::size_t> history;
    std::size_t added = 0;
    int depth = 0;
    int steps = 500;
    std::string const names[] = {"a", "b", "c"};
    std::function<void()> const act = [&] {
        if (--steps < 0) return;
        std::string const& name = random.pick(names);
        switch (random.below(6)) {
        case 0:
        case 1:
            if (added == 60) break;
            d.add(name, random.one_in(3), [&, number = added] {
                history.push_back(number);
                ++depth;
                for (auto n = random.below(4); n != 0; --n) act();
                --depth;
                history.push_back(number);
            });
            ++added;
            break;
        case 2:
            if (added != 0) history.push_back(d.off(random.below(added)) ? 1001 : 1000);
            break;
        case 3:
            if (random.one_in(4)) history.push_back(d.off(name) ? 2001 : 2000);
            break;
        default:
            if (depth != 3) history.push_back(d.dispatch(name) ? 3001 : 3000);
        }
    };
    for (int i = 0; i != 40; ++i) act();
    return history;
}

} // namespace

TEST_CASE("whatever handlers do to a dispatcher, it calls those that a copy made before would, but for the removed",
          "[socketio]") {
    for (std::uint64_t seed = 1; seed != 300; ++seed) {
        INFO("seed " << seed);
        REQUIRE(random_history<real>(seed) == random_history<model>(seed));
    }
}

//=== handlers that throw ===//

#if defined(__cpp_exceptions)

namespace {

// Thrown by a handler.
struct failure {};

// An argument that throws when it is read.
struct careless {
    friend result<void> read_json(json::text, careless&) { throw failure(); }
};

// A handler that throws once it is called.
auto failing(calls& log, std::string name) {
    return [&log, name = std::move(name)](event&) {
        log.push_back(name);
        throw failure();
    };
}

} // namespace

TEST_CASE("a handler that throws ends the dispatch, and the dispatcher goes on with the next event", "[socketio]") {
    dispatcher d;
    calls log;
    d.on_any(noting(log, "any"));
    d.on("a", noting(log, "first"));
    auto const bad = d.on("a", failing(log, "bad"));
    d.on("a", noting(log, "last"));
    for (int i = 0; i != 2; ++i) {
        CHECK_THROWS_AS(dispatch(d, R"(2["a"])"), failure);
        CHECK(std::exchange(log, {}) == calls{"any", "first", "bad"});
    }
    CHECK_FALSE(dispatch(d, event_type::connected));
    CHECK(d.off(bad)); // at once: no dispatch is under way
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(log == calls{"any", "first", "last"});
}

TEST_CASE("handlers that were removed before one throws are destroyed", "[socketio]") {
    dispatcher d;
    calls log;
    auto const owned = std::make_shared<int>(1);
    registration other{};
    d.once("a", [&log, &d, &other, owned](event&) {
        d.off(other);
        log.push_back("once");
        throw failure();
    });
    other = d.on("a", [&log, owned](event&) { log.push_back("other"); });
    d.once("a", [&log, owned](event&) { log.push_back("once more"); });
    CHECK_THROWS_AS(dispatch(d, R"(2["a"])"), failure);
    CHECK(owned.use_count() == 2); // that of the handler that was not reached
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(owned.use_count() == 1);
    CHECK(log == calls{"once", "once more"});
}

TEST_CASE("if a handler throws, the handlers of the acknowledgement are not kept for ever", "[socketio]") {
    dispatcher d;
    calls log;
    auto const owned = std::make_shared<int>(1);
    socket_handle const socket{3, 1};
    auto const handler = [&log, owned](event&) { log.push_back("told"); };
    auto const bad = d.on(event_type::ack, failing(log, "bad"));
    d.on_ack(socket, 7, handler);
    d.on_acks(8, handler);
    d.on_ack(socket, 9, handler);
    long const registered = owned.use_count();
    event e;
    e.type = event_type::ack;
    e.socket = socket;
    e.id = 7;
    CHECK_THROWS_AS(d.dispatch(e), failure);
    CHECK(owned.use_count() == registered - 1);
    e.id = 8; // one of several outcomes
    CHECK_THROWS_AS(d.dispatch(e), failure);
    CHECK(owned.use_count() == registered - 1);
    CHECK(log == calls{"bad", "bad"});
    d.off(bad);
    CHECK(d.dispatch(e));
    d.on(event_type::acks_complete, failing(log, "bad"));
    e.type = event_type::acks_complete;
    CHECK_THROWS_AS(d.dispatch(e), failure);
    CHECK(owned.use_count() == registered - 2);
    e.type = event_type::ack;
    e.id = 9;
    CHECK(d.dispatch(e));
    CHECK(log == calls{"bad", "bad", "told", "bad", "told"});
    CHECK(owned.use_count() == registered - 3);
}

TEST_CASE("an argument that throws when it is read counts as a handler that throws", "[socketio]") {
    dispatcher d;
    calls log;
    constexpr typed_event<careless> risky{"risky"};
    d.on(risky, [&](careless const&) { log.push_back("called"); });
    d.on("risky", noting(log, "behind it"));
    d.on_mismatch([&](event&, error) { log.push_back("mismatch"); });
    CHECK_THROWS_AS(dispatch(d, R"(2["risky",1])"), failure);
    CHECK(log.empty());
    CHECK(dispatch(d, R"(2["risky"])")); // an argument too few is known before it is read
    CHECK(log == calls{"mismatch", "behind it"});
    d.on_mismatch([](event&, error) { throw failure(); });
    CHECK_THROWS_AS(dispatch(d, R"(2["risky"])"), failure);
    d.off(risky);
    CHECK_FALSE(dispatch(d, R"(2["risky"])"));
}

TEST_CASE("a dispatch within a dispatch that throws leaves the outer one whole", "[socketio]") {
    dispatcher d;
    calls log;
    d.once("inner", failing(log, "inner"));
    d.on("a", [&](event&) {
        CHECK_THROWS_AS(dispatch(d, R"(2["inner"])"), failure);
        log.push_back("a");
    });
    d.on("a", noting(log, "last"));
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(log == calls{"inner", "a", "last"});
    CHECK_FALSE(dispatch(d, R"(2["inner"])"));
}

TEST_CASE("an event whose handler throws has been taken, and may still be acknowledged", "[socketio]") {
    calls log;
    support::stacks stacks;
    dispatcher on_server;
    on_server.on("bad", failing(log, "bad"));
    on_server.on("good", noting(log, "good"));
    stacks.on_server_event = [&](event& e) {
        try {
            on_server.dispatch(e);
        } catch (failure const&) {
            CHECK(stacks.server.acknowledge(e.ack, "it failed").has_value());
        }
    };
    stacks.on_client_event = [&](std::size_t, event& e) {
        if (e.type == event_type::ack) log.push_back(e.get<std::string>().value_or("?"));
    };
    auto& client = stacks.client(stacks.add());
    auto const socket = client.connect();
    REQUIRE(socket.has_value());
    CHECK(client.emit_with_ack(*socket, std::nullopt, "bad").has_value());
    CHECK(client.emit(*socket, "good").has_value());
    stacks.settle();
    CHECK(log == calls{"bad", "good", "it failed"});
}

#endif

} // namespace socketio_dispatcher_changes_test
