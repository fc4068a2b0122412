#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/stacks.hpp"

#include <socketless/socketio/client_session.hpp>
#include <socketless/socketio/dispatcher.hpp>
#include <socketless/socketio/server_session.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace socketio_dispatcher_test {

using namespace socketless;
using namespace socketless::socketio;

namespace {

using calls = std::vector<std::string>;

// What a peer has emitted.
event emitted(std::string_view wire) {
    event e;
    e.type = event_type::event;
    e.packet.packet = decode(wire).value();
    return e;
}

bool dispatch(dispatcher& d, std::string_view wire) {
    auto e = emitted(wire);
    return d.dispatch(e);
}
bool dispatch(dispatcher& d, event_type type) {
    event e;
    e.type = type;
    return d.dispatch(e);
}

// A handler that says that it was called.
auto noting(calls& log, std::string name) {
    return [&log, name = std::move(name)](event&) { log.push_back(name); };
}

constexpr typed_event<int, std::string> moved{"moved"};

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

TEST_CASE("the handlers of a name are called in the order of their registration", "[socketio]") {
    dispatcher d;
    calls log;
    d.on("a", noting(log, "a 1"));
    d.on("b", noting(log, "b"));
    d.on("a", noting(log, "a 2"));
    d.on("a", noting(log, "a 3"));
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(log == calls{"a 1", "a 2", "a 3"});
}

TEST_CASE("dispatching says whether any handler was called", "[socketio]") {
    dispatcher d;
    CHECK_FALSE(dispatch(d, R"(2["a"])"));
    CHECK_FALSE(dispatch(d, event_type::connected));
    d.on("a", [](event&) {});
    d.on(event_type::connected, [](event&) {});
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(dispatch(d, event_type::connected));
    CHECK_FALSE(dispatch(d, R"(2["b"])"));
    CHECK_FALSE(dispatch(d, event_type::disconnected));
    d.on_any([](event&) {});
    CHECK(dispatch(d, R"(2["b"])"));
}

TEST_CASE("whatever a peer names its events it cannot call the handlers of the library's own", "[socketio]") {
    using enum event_type;
    constexpr std::array types = {connecting, connected, connect_error, ack,         acks_complete, disconnected,
                                  closed,     opened,    upgraded,      open_failed, reconnecting,  reconnect_failed};
    constexpr std::array<std::string_view, 15> names = {
        "connecting",   "connected",        "ack",   "disconnected", "closed", "opened", "upgraded", "open_failed",
        "reconnecting", "reconnect_failed", "event", "error",        "*",      "",       "__proto__"};
    dispatcher d;
    calls log;
    for (auto const type : types) d.on(type, noting(log, "type"));
    for (auto const name : names) CHECK_FALSE(dispatch(d, "2[\"" + std::string(name) + "\"]"));
    CHECK_FALSE(dispatch(d, "2[1]"));
    CHECK(log.empty());
    CHECK(dispatch(d, event_type::reconnecting));
    CHECK(log.size() == 1);
}

TEST_CASE("an event of the library's own does not call the handlers of a peer's", "[socketio]") {
    dispatcher d;
    calls log;
    for (auto const* const name : {"connected", "", "1"}) d.on(name, noting(log, name));
    d.on_any(noting(log, "any"));
    CHECK_FALSE(dispatch(d, event_type::connected));
    CHECK_FALSE(dispatch(d, event_type::closed));
    CHECK(log.empty());
    CHECK(dispatch(d, R"(2["connected"])"));
    CHECK(log == calls{"any", "connected"});
}

TEST_CASE("a name that is a number is found by its digits, as JavaScript does", "[socketio]") {
    dispatcher d;
    calls log;
    d.on("7", noting(log, "7"));
    d.on("-1.5", noting(log, "-1.5"));
    CHECK(dispatch(d, "2[7]"));
    CHECK(dispatch(d, R"(2["7"])"));
    CHECK(dispatch(d, "2[-1.5]"));
    CHECK_FALSE(dispatch(d, "2[70]"));
    CHECK(log == calls{"7", "7", "-1.5"});
}

TEST_CASE("a name that is written with escapes is found by what it says", "[socketio]") {
    dispatcher d;
    calls log;
    d.on("caf\xc3\xa9", noting(log, "1"));
    d.on("tab\there", noting(log, "tab"));
    d.on("caf\xc3\xa9", noting(log, "2"));
    d.on("\\u0063af\xc3\xa9", noting(log, "with a backslash"));
    CHECK(dispatch(d, "2[\"caf\\u00e9\"]"));
    CHECK(dispatch(d, "2[\"\\u0063af\xc3\xa9\"]"));
    CHECK(dispatch(d, R"(2["tab\there"])"));
    CHECK_FALSE(dispatch(d, R"(2["caf\u00e8"])"));
    CHECK_FALSE(dispatch(d, R"(2["\ud800"])")); // half of a pair: nothing can be registered for it
    CHECK(log == calls{"1", "2", "1", "2", "tab"});
}

TEST_CASE("the empty name is a name", "[socketio]") {
    dispatcher d;
    calls log;
    d.on("", noting(log, "empty"));
    CHECK(dispatch(d, R"(2[""])"));
    CHECK_FALSE(dispatch(d, R"(2["a"])"));
    CHECK(log == calls{"empty"});
}

//=== typed events ===//

TEST_CASE("the handler of a typed event takes its arguments", "[socketio]") {
    dispatcher d;
    std::string seen;
    d.on(moved, [&](int steps, std::string_view direction) { seen = std::to_string(steps) + std::string(direction); });
    CHECK(dispatch(d, R"(2["moved",3,"north"])"));
    CHECK(seen == "3north");
}

TEST_CASE("the handler of a typed event may take the event before its arguments, or the event alone", "[socketio]") {
    dispatcher d;
    std::string seen;
    d.on(moved, [&](event& e, int steps, std::string_view) { seen = e.name().str() + std::to_string(steps); });
    d.on(moved, [&](event& e) { seen += e.args().size() == 2 ? "!" : "?"; });
    CHECK(dispatch(d, R"(2["moved",3,"north"])"));
    CHECK(seen == "moved3!");
}

TEST_CASE("the handlers of a typed event and those of its name alone are one list", "[socketio]") {
    dispatcher d;
    calls log;
    d.on("moved", noting(log, "by name"));
    d.on(moved, [&](int, std::string_view) { log.emplace_back("typed"); });
    CHECK(dispatch(d, R"(2["moved",3,"north"])"));
    CHECK(log == calls{"by name", "typed"});
    CHECK(d.off(moved));
    CHECK_FALSE(dispatch(d, R"(2["moved",3,"north"])"));
}

TEST_CASE("events of no, one and optional arguments are called with those", "[socketio]") {
    dispatcher d;
    calls log;
    d.on(typed_event<>{"none"}, [&] { log.emplace_back("none"); });
    d.on(typed_event<>{"none"}, [&](event&) { log.emplace_back("none, event"); });
    d.on(typed_event<std::string>{"one"}, [&](std::string s) { log.push_back(std::move(s)); });
    d.on(typed_event<int, std::optional<int>>{"maybe"},
         [&](int a, std::optional<int> b) { log.push_back(std::to_string(a + b.value_or(100))); });
    CHECK(dispatch(d, R"(2["none"])"));
    CHECK(dispatch(d, R"(2["none","and more"])")); // which JavaScript's handlers ignore as well
    CHECK(dispatch(d, R"(2["one","a\nb"])"));
    CHECK(dispatch(d, R"(2["maybe",1])"));
    CHECK(dispatch(d, R"(2["maybe",1,null])"));
    CHECK(dispatch(d, R"(2["maybe",1,2])"));
    CHECK(log == calls{"none", "none, event", "none", "none, event", "a\nb", "101", "101", "3"});
}

TEST_CASE("a handler that takes anything is given the arguments", "[socketio]") {
    dispatcher d;
    std::size_t count = 0;
    d.on(moved, [&](auto const&... args) { count = sizeof...(args); });
    CHECK(dispatch(d, R"(2["moved",3,"north"])"));
    CHECK(count == 2);
}

TEST_CASE("a handler of a typed event is called for a string with escapes, which it may take as a view", "[socketio]") {
    dispatcher d;
    std::string seen;
    d.on(moved, [&](int, std::string_view direction) { seen = direction; });
    CHECK(dispatch(d, R"(2["moved",3,"\u006eorth \"\n"])"));
    CHECK(seen == "north \"\n");
}

TEST_CASE("handlers that can only be moved, that change or that return something are handlers", "[socketio]") {
    dispatcher d;
    auto const sum = std::make_shared<int>(0);
    d.on("a", [sum, own = std::make_unique<int>(1)](event&) { return *sum += *own; });
    d.on("a", [sum, n = 10](event const&) mutable { *sum += n++; });
    d.on(moved, [sum, own = std::make_unique<int>(100)](int n, auto const&) { return *sum += n * *own; });
    struct {
        int* sum;
        void operator()(event&) const { *sum += 1000; }
    } const object{sum.get()};
    d.on(event_type::connected, object);
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(*sum == 1 + 10 + 1 + 11);
    CHECK(dispatch(d, R"(2["moved",3,"north"])"));
    CHECK(dispatch(d, event_type::connected));
    CHECK(*sum == 23 + 300 + 1000);
}

TEST_CASE("arguments of other types do not call the handler but that of mismatches", "[socketio]") {
    dispatcher d;
    std::vector<error> errors;
    bool called = false;
    d.on(moved, [&](int, std::string_view) { called = true; });
    CHECK_FALSE(dispatch(d, R"(2["moved","north",3])")); // without a handler of mismatches, too
    d.on_mismatch([&](event& e, error wrong) {
        CHECK(e.name() == "moved");
        errors.push_back(wrong);
    });
    CHECK_FALSE(dispatch(d, R"(2["moved","north",3])"));
    CHECK_FALSE(dispatch(d, R"(2["moved",3])"));
    CHECK_FALSE(dispatch(d, R"(2["moved",3.5,"north"])"));
    CHECK_FALSE(called);
    CHECK(errors ==
          std::vector{error{errc::wrong_kind, 0}, error{errc::missing_argument, 1}, error{errc::not_an_integer, 0}});
}

TEST_CASE("arguments that fit one handler and not another call the one and are told of for the other", "[socketio]") {
    dispatcher d;
    calls log;
    d.on(typed_event<int>{"a"}, [&](int) { log.emplace_back("int"); });
    d.on(typed_event<std::string>{"a"}, [&](std::string const&) { log.emplace_back("string"); });
    d.on(typed_event<bool>{"a"}, [&](event&) { log.emplace_back("event"); });
    d.on_mismatch([&](event&, error) { log.emplace_back("mismatch"); });
    CHECK(dispatch(d, R"(2["a",1])"));
    CHECK(log == calls{"int", "mismatch", "event"});
}

TEST_CASE("the handler of mismatches may replace itself", "[socketio]") {
    dispatcher d;
    calls log;
    d.on(typed_event<int>{"a"}, [](int) {});
    d.on_mismatch([&, first = std::string("the first, longer than a string holds within itself")](event&, error) {
        d.on_mismatch([&](event&, error) { log.emplace_back("second"); });
        log.push_back(first);
    });
    CHECK_FALSE(dispatch(d, R"(2["a"])"));
    CHECK_FALSE(dispatch(d, R"(2["a"])"));
    CHECK(log == calls{"the first, longer than a string holds within itself", "second"});
}

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

// The same of the real one.
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
        return socketio_dispatcher_test::dispatch(dispatcher_, "2[\"" + name + "\"]");
    }

private:
    dispatcher dispatcher_;
    std::vector<registration> ids_;
};

// Does random things, from outside and in handlers; returns what came of them.
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

//=== acknowledgements ===//

namespace {

event ack(std::uint64_t id, socket_handle socket = {1, 1}, event_type type = event_type::ack) {
    event e;
    e.type = type;
    e.socket = socket;
    e.id = id;
    return e;
}

} // namespace

TEST_CASE("an acknowledgement has a handler of its own, which is called once and gone", "[socketio]") {
    dispatcher d;
    calls log;
    auto const token = std::make_shared<int>();
    CHECK(d.on_ack({1, 1}, result<std::uint64_t>(7), [&log, token](event& e) {
               log.push_back("answer " + std::to_string(e.id));
           }).has_value());
    d.on_ack({1, 1}, 8, noting(log, "8"));
    d.on_ack({2, 1}, 8, noting(log, "8 of another"));
    CHECK(d.on_ack({1, 1}, result<std::uint64_t>(errc::not_connected), noting(log, "never")) ==
          error{errc::not_connected});
    d.on(event_type::ack, noting(log, "any"));
    auto const removed = d.on_ack({1, 1}, 9, noting(log, "removed"));
    CHECK(d.off(removed));
    CHECK_FALSE(d.off(removed));
    CHECK(token.use_count() == 2);
    for (auto e : {1, 2}) {
        auto seven = ack(7);
        CHECK(d.dispatch(seven));
        CHECK(token.use_count() == 1); // gone with the call
        static_cast<void>(e);
    }
    auto nine = ack(9);
    auto stale = ack(8, {1, 2});
    auto complete = ack(8, {1, 1}, event_type::acks_complete);
    auto eight = ack(8);
    CHECK(d.dispatch(nine));
    CHECK(d.dispatch(stale));
    CHECK_FALSE(d.dispatch(complete));
    CHECK(d.dispatch(eight));
    CHECK(log == calls{"any", "answer 7", "any", "any", "any", "any", "8"});
}

TEST_CASE("the acknowledgements of a broadcast have one handler until the last of them", "[socketio]") {
    dispatcher d;
    calls log;
    CHECK(d.on_acks(result<std::uint64_t>(7), noting(log, "all")).has_value());
    CHECK(d.on_acks(result<std::uint64_t>(errc::invalid_utf8), noting(log, "none")) == error{errc::invalid_utf8});
    d.on_ack({2, 1}, 7, noting(log, "one"));
    for (std::uint32_t const n : {1u, 2u, 3u}) {
        auto e = ack(7, {n, 1});
        CHECK(d.dispatch(e));
    }
    auto complete = ack(7, {}, event_type::acks_complete);
    CHECK(d.dispatch(complete));
    CHECK_FALSE(d.dispatch(complete));
    CHECK(log == calls{"all", "one", "all", "all", "all"});
}

TEST_CASE("a handler of an acknowledgement asks again", "[socketio]") {
    support::stacks stacks;
    dispatcher d;
    int answers = 0;
    std::function<void(event&)> ask = [&](event& e) {
        if (e.type == event_type::ack) ++answers;
        if (answers == 3) return;
        CHECK(d.on_ack(e.socket, stacks.client(0).emit_with_ack(e.socket, std::nullopt, "q"), ask).has_value());
    };
    d.on(event_type::connected, [&](event& e) { ask(e); });
    stacks.on_client_event = [&](std::size_t, event& e) { d.dispatch(e); };
    stacks.on_server_event = [&](event& e) {
        if (e.ack) CHECK(stacks.server.acknowledge(e.ack).has_value());
    };
    CHECK(stacks.client(stacks.add()).connect().has_value());
    stacks.settle();
    CHECK(answers == 3);
}

//=== with sessions ===//

TEST_CASE("one dispatcher serves a whole server, another a whole client", "[socketio]") {
    calls log;
    support::stacks stacks;
    dispatcher on_server;
    dispatcher on_client;
    constexpr typed_event<std::string> hello{"hello"};
    on_server.on(event_type::connected, [&](event& e) {
        log.emplace_back("connected");
        CHECK(stacks.server.emit(e.socket, hello, "client").has_value());
    });
    on_server.on("question", [&](event& e) { CHECK(stacks.server.acknowledge(e.ack, 42).has_value()); });
    on_server.on(event_type::disconnected, noting(log, "disconnected"));
    on_client.on(hello, [&](event& e, std::string const& whom) {
        log.push_back("hello " + whom);
        CHECK(stacks.client(0).emit_with_ack(e.socket, std::nullopt, "question").has_value());
    });
    on_client.on(event_type::ack, [&](event& e) {
        log.push_back("answer " + std::to_string(e.get<int>().value_or(0)));
        stacks.client(0).disconnect(e.socket);
    });
    stacks.on_server_event = [&](event& e) { on_server.dispatch(e); };
    stacks.on_client_event = [&](std::size_t, event& e) { on_client.dispatch(e); };
    CHECK(stacks.client(stacks.add()).connect().has_value());
    stacks.settle();
    CHECK(log == calls{"connected", "hello client", "answer 42", "disconnected"});
}

TEST_CASE("a dispatcher for each namespace does what io.of does", "[socketio]") {
    calls log;
    support::stacks stacks;
    stacks.server.declare("/admin");
    dispatcher main;
    dispatcher admin;
    main.on("a", noting(log, "main"));
    admin.on("a", noting(log, "admin"));
    stacks.on_server_event = [&](event& e) { (e.nsp == "/admin" ? admin : main).dispatch(e); };
    auto& client = stacks.client(stacks.add());
    for (auto const* const nsp : {"/", "/admin"}) {
        auto const socket = client.connect(nsp);
        REQUIRE(socket.has_value());
        CHECK(client.emit(*socket, "a").has_value());
        stacks.settle();
    }
    CHECK(log == calls{"main", "admin"});
}

TEST_CASE("a dispatcher serves the sessions below", "[socketio]") {
    time_point const now{};
    calls log;
    dispatcher d;
    d.on(event_type::connected, noting(log, "connected"));
    d.on(event_type::connecting, noting(log, "connecting"));
    d.on(moved, [&](int steps, std::string_view) { log.push_back(std::to_string(steps)); });

    client_session client;
    CHECK(client.connect().has_value());
    client.opened(now);
    for (auto const* const text : {R"(0{"sid":"s"})", R"(2["moved",3,"north"])"}) {
        client.message_received({frame_kind::text, text}, now);
        while (auto e = client.poll_event()) d.dispatch(*e);
    }
    CHECK(log == calls{"connected", "3"});

    socketio::server_options const options;
    message_queue queue;
    server_session server(options, queue, revision::v5, now);
    d.on(event_type::connecting, [&](event& e) { CHECK(server.accept(e.socket, "sid").has_value()); });
    for (auto const* const text : {"0", R"(2["moved",4,"south"])"}) {
        server.message_received({frame_kind::text, text}, now);
        while (auto e = server.poll_event()) d.dispatch(*e);
    }
    CHECK(log == calls{"connected", "3", "connecting", "4"});
}

#if defined(__cpp_exceptions)

namespace {

// What a handler throws.
struct failure {};

// An argument that cannot be read without throwing.
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

TEST_CASE("what was removed before a handler has thrown is destroyed, whichever handler that was", "[socketio]") {
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
    CHECK(owned.use_count() == 2); // that of the one that was not reached
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(owned.use_count() == 1);
    CHECK(log == calls{"once", "once more"});
}

TEST_CASE("where a handler throws those of the acknowledgement are not kept for ever", "[socketio]") {
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

TEST_CASE("an argument whose reading throws is as a handler that throws", "[socketio]") {
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

} // namespace socketio_dispatcher_test
