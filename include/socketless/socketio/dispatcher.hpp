// socketio::dispatcher: handlers for events, for applications that prefer them to a switch over poll_event.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/unique_function.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/text.hpp>
#include <socketless/socketio/packet.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <algorithm>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// Names a handler of one dispatcher, so that it can be removed.
enum class registration : std::uint64_t {};

namespace detail {

// Whether a handler of a typed event takes its arguments, with or without the event before them.
template <class Handler, class... Args>
concept takes_arguments = std::invocable<Handler&, Args...> || std::invocable<Handler&, event&, Args...>;

// Calls the handler of a typed event, unless the arguments of `e` are of other types.
template <class... Args, class Handler>
result<void> call_typed(Handler& handler, event& e) {
    if constexpr (!takes_arguments<Handler, Args...>) {
        static_assert(std::invocable<Handler&, event&>,
                      "the handler of a typed_event<Args...> takes (Args...), (socketio::event&, Args...) or "
                      "(socketio::event&)");
        std::invoke(handler, e);
    } else {
        auto const call = [&](auto&&... args) {
            if constexpr (std::invocable<Handler&, Args...>)
                std::invoke(handler, std::forward<decltype(args)>(args)...);
            else
                std::invoke(handler, e, std::forward<decltype(args)>(args)...);
        };
        auto args = e.get(typed_event<Args...>());
        if (!args) return args.error();
        if constexpr (sizeof...(Args) == 0)
            call();
        else if constexpr (sizeof...(Args) == 1)
            call(std::move(*args));
        else
            std::apply(call, std::move(*args));
    }
    return {};
}

} // namespace detail

/// Handlers of the events of any session, client or server:
///
///     inline constexpr socketio::typed_event<int, std::string> moved{"moved"};
///
///     socketio::dispatcher handlers;
///     handlers.on("chat", [&](socketio::event& e) { ...; server.acknowledge(e.ack).ignore(); });
///     handlers.on(moved, [](int steps, std::string const& direction) { ... });
///     handlers.on(socketio::event_type::disconnected, [](socketio::event& e) { ... });
///
///     while (auto e = server.poll_event()) handlers.dispatch(*e);
///
/// Handlers of what peers emit have a name, handlers of what the library says an event_type: whatever a peer names its
/// events, it cannot call the latter. `io.of("/admin").on(...)` of Socket.IO is a dispatcher of its own:
///
///     (e->nsp == "/admin" ? admin : handlers).dispatch(*e);
///
/// A handler is any function object, also one that can only be moved; what it returns is ignored. Handlers are called
/// in the order in which they were registered, those of a type before those of a name. They may register and remove
/// handlers, themselves too, and dispatch other events: a dispatch does not call handlers that are registered during
/// it, nor those that are removed. A function object is destroyed when it is removed, or, during a dispatch, when that
/// is over.
///
/// If a handler or the reading of its arguments throws, `dispatch` passes that on and does not call the handlers behind
/// it for this event. The dispatcher, the session and the event stay as usable as before: the event has left its
/// session already, so handlers see it again only if the caller dispatches it again; you can still answer its `ack`.
/// Handlers of a single call are removed as if nothing had thrown: the `once` handlers that were reached, and all those
/// of an acknowledgement, for which there is no other outcome.
///
/// `on` and `dispatch` are logarithmic in the number of handlers, `off` and a dispatch in which one is removed linear.
/// Dispatching does not allocate unless a handler is removed. Precondition: neither moved nor destroyed during a
/// dispatch.
class dispatcher {
public:
    /// Without handlers, or with those of another. Precondition: neither dispatches.
    dispatcher() = default;
    dispatcher(dispatcher&&) = default;
    dispatcher& operator=(dispatcher&&) = default;

    //=== handlers ===//

    /// Calls `handler(socketio::event&)` for each event that a peer gives this name; the digits name a number.
    /// Precondition: `name` is not reserved (connect, connect_error, disconnect, disconnecting, newListener,
    /// removeListener): peers cannot use those names, and for what they mean in Socket.IO there is event_type.
    template <class Handler>
    registration on(std::string_view name, Handler handler) {
        return add_named(name, false, plain(std::move(handler)));
    }
    /// Calls `handler(Args...)` or `handler(socketio::event&, Args...)` if the arguments are of these types (see
    /// `arguments::get`), otherwise the one of `on_mismatch`. A `handler(socketio::event&)` is called in any case.
    template <class... Args, class Handler>
    registration on(typed_event<Args...> const& event, Handler handler) {
        return add_named(event.name, false, typed<Args...>(std::move(handler)));
    }
    /// Calls `handler(socketio::event&)` for each event of this type; of event_type::event, for all that a peer emits.
    template <class Handler>
    registration on(event_type type, Handler handler) {
        return add(by_type_, type, false, plain(std::move(handler)));
    }

    /// The same, for one event: the handler is removed just before it is called.
    template <class Handler>
    registration once(std::string_view name, Handler handler) {
        return add_named(name, true, plain(std::move(handler)));
    }
    template <class... Args, class Handler>
    registration once(typed_event<Args...> const& event, Handler handler) {
        return add_named(event.name, true, typed<Args...>(std::move(handler)));
    }
    template <class Handler>
    registration once(event_type type, Handler handler) {
        return add(by_type_, type, true, plain(std::move(handler)));
    }

    /// on(event_type::event, handler): calls it for each event that a peer emits, before the handlers of its name.
    template <class Handler>
    registration on_any(Handler handler) {
        return on(event_type::event, std::move(handler));
    }

    /// Calls `handler(socketio::event&)` for the one outcome of an acknowledgement that was asked of a socket:
    /// answered, timed out or disconnected. Then it is removed. `id` is what emit_with_ack has returned:
    ///
    ///     handlers.on_ack(socket, server.emit_with_ack(socket, 5s, "question"), [](socketio::event& e) {
    ///         if (auto const answer = e.get<int>(); e.outcome == ack_outcome::answered && answer) ...
    ///     }).ignore(); // the error of emit_with_ack
    ///
    /// Ids are unique within one session or server, not among several: give each a dispatcher of its own.
    template <class Handler>
    registration on_ack(socket_handle socket, std::uint64_t id, Handler handler) {
        return add(by_ack_, ack_key{id, socket.index, socket.generation}, true, plain(std::move(handler)));
    }
    /// The same; if the event was not emitted, returns its error and keeps no handler.
    template <class Handler>
    result<registration> on_ack(socket_handle socket, result<std::uint64_t> id, Handler handler) {
        if (!id) return id.error();
        return on_ack(socket, *id, std::move(handler));
    }
    /// Calls it for each outcome of a broadcast's acknowledgements, and for event_type::acks_complete after them. Then
    /// it is removed.
    template <class Handler>
    registration on_acks(std::uint64_t id, Handler handler) {
        return add(by_ack_, ack_key{id}, false, plain(std::move(handler)));
    }
    template <class Handler>
    result<registration> on_acks(result<std::uint64_t> id, Handler handler) {
        if (!id) return id.error();
        return on_acks(*id, std::move(handler));
    }

    /// Calls `handler(socketio::event&, error)` for each handler that is not called because the arguments are of other
    /// types: with the error of `arguments::get`. Replaces the one before.
    template <class Handler>
    void on_mismatch(Handler handler) {
        static_assert(std::invocable<Handler&, event&, error>,
                      "a handler of mismatches takes (socketio::event&, socketless::error)");
        mismatch_ = std::make_shared<mismatch_function>(
            [handler = std::move(handler)](event& e, error wrong) mutable { std::invoke(handler, e, wrong); });
    }

    /// Removes one handler. False if it is gone already.
    bool off(registration id) {
        return remove_if([id](auto const& /*key*/, entry const& h) { return h.id == id; }, by_name_, by_type_, by_ack_);
    }
    /// Removes all handlers of a name, whatever types they declare. False if there are none.
    bool off(std::string_view name) {
        return remove_if([name](std::string_view key, entry const&) { return key == name; }, by_name_);
    }
    template <class... Args>
    bool off(typed_event<Args...> const& event) {
        return off(event.name);
    }
    /// Removes all handlers of a type; of event_type::event those of `on_any`.
    bool off(event_type type) {
        return remove_if([type](event_type key, entry const&) { return key == type; }, by_type_);
    }

    //=== events ===//

    /// Calls the handlers of an event. Returns whether it called any: that of `on_any` counts, that of `on_mismatch`
    /// does not. All get the same event: if one changes it, for example uses up its `ack`, the next one sees that.
    bool dispatch(event& e) {
        dispatching const scope(*this);
        auto const newest = last_;
        // Both are looked up before any handler can change the event.
        auto const of_type = by_type_.equal_range(e.type);
        auto const of_name = e.type == event_type::event ? find(e.name()) : std::pair(by_name_.end(), by_name_.end());
        auto const found = find_acks(e);
        ack_range const of_ack = found.first;
        ack_range const of_acks = found.second;
        bool const is_last = e.type == event_type::acks_complete;
        // If a handler before them throws, those of an acknowledgement would stay for ever.
        core_detail::rollback end_acks([&]() noexcept {
            remove_range(of_ack);
            if (is_last) remove_range(of_acks);
        });
        bool const by_type = call(of_type, e, newest);
        bool const by_ack = call(of_ack, e, newest);
        bool const by_acks = call(of_acks, e, newest, is_last);
        end_acks.commit();
        return call(of_name, e, newest) || by_type || by_ack || by_acks;
    }

private:
    // Returns why it did not call the handler, if it did not.
    using function = core_detail::unique_function<result<void>(event&)>;
    using mismatch_function = core_detail::unique_function<void(event&, error)>;

    struct entry {
        registration id;
        bool once;
        function call;
        bool removed = false;
    };

    // An acknowledgement of a socket; without a socket, all those of a broadcast.
    struct ack_key {
        std::uint64_t id = 0;
        std::uint32_t index = 0;
        std::uint32_t generation = 0;

        friend constexpr auto operator<=>(ack_key const&, ack_key const&) noexcept = default;
    };

    using type_map = std::multimap<event_type, entry>;
    using name_map = std::multimap<std::string, entry, std::less<>>;
    using ack_map = std::multimap<ack_key, entry>;
    using ack_range = std::pair<ack_map::iterator, ack_map::iterator>;

    // A dispatch under way: nothing is taken out of the maps until the last one is over.
    class dispatching {
    public:
        explicit dispatching(dispatcher& d) noexcept : dispatcher_(d) { ++dispatcher_.depth_; }
        dispatching(dispatching const&) = delete;
        dispatching& operator=(dispatching const&) = delete;
        ~dispatching() {
            --dispatcher_.depth_;
            dispatcher_.sweep();
        }

    private:
        dispatcher& dispatcher_;
    };

    template <class Handler>
    static function plain(Handler handler) {
        static_assert(std::invocable<Handler&, event&>, "a handler takes (socketio::event&)");
        return function([handler = std::move(handler)](event& e) mutable {
            std::invoke(handler, e);
            return result<void>();
        });
    }
    template <class... Args, class Handler>
    static function typed(Handler handler) {
        return function(
            [handler = std::move(handler)](event& e) mutable { return detail::call_typed<Args...>(handler, e); });
    }

    template <class Map, class Key>
    registration add(Map& map, Key key, bool once, function call) {
        last_ = registration{static_cast<std::uint64_t>(last_) + 1};
        map.emplace(std::move(key), entry{last_, once, std::move(call)});
        return last_;
    }
    registration add_named(std::string_view name, bool once, function call) {
        SOCKETLESS_ASSERT(std::ranges::count(detail::reserved_event_names, name) == 0);
        return add(by_name_, std::string(name), once, std::move(call));
    }

    // The handlers of a name. A name that is written with escapes, which is rare, is looked for as it is written.
    [[nodiscard]] std::pair<name_map::iterator, name_map::iterator> find(event_name name) {
        json::text const json = name.json();
        if (!json.has_escapes())
            return by_name_.equal_range(json.is(json::kind::string) ? *json.unescape({}) : json.raw());
        auto const found =
            std::ranges::find_if(by_name_, [name](auto const& candidate) { return name == candidate.first; });
        if (found == by_name_.end()) return {found, found};
        return by_name_.equal_range(found->first);
    }

    // The handlers of one acknowledgement, and those of the broadcast that it belongs to.
    [[nodiscard]] std::pair<ack_range, ack_range> find_acks(event const& e) {
        ack_range const none(by_ack_.end(), by_ack_.end());
        bool const is_ack = e.type == event_type::ack;
        if (by_ack_.empty() || (!is_ack && e.type != event_type::acks_complete)) return {none, none};
        auto const own = is_ack ? by_ack_.equal_range({e.id, e.socket.index, e.socket.generation}) : none;
        return {own, by_ack_.equal_range({e.id})};
    }

    // Calls the handlers of a range that existed when the dispatch began, for the last time if `is_last`.
    template <class Iterator>
    bool call(std::pair<Iterator, Iterator> range, event& e, registration newest, bool is_last = false) {
        bool any = false;
        for (auto it = range.first; it != range.second; ++it) {
            entry& h = it->second;
            if (h.removed || h.id > newest) continue;
            if (h.once || is_last) h.removed = has_removed_ = true;
            auto const called = h.call(e);
            any |= called.has_value();
            if (called) continue;
            if (h.once) h.removed = false;
            if (auto const told = mismatch_) (*told)(e, called.error());
        }
        return any;
    }

    void remove_range(ack_range range) noexcept {
        for (auto it = range.first; it != range.second; ++it) it->second.removed = has_removed_ = true;
    }

    // Removes the handlers for which `matches(key, entry)` is true.
    template <class Predicate, class... Maps>
    bool remove_if(Predicate matches, Maps&... maps) {
        bool any = false;
        auto const mark = [&](auto& handlers) {
            for (auto& [key, h] : handlers)
                if (!h.removed && matches(key, h)) any = h.removed = true;
        };
        (mark(maps), ...);
        has_removed_ |= any;
        sweep();
        return any;
    }

    // Frees the handlers that were removed, unless a dispatch is under way: it may be running them or remember their
    // place.
    void sweep() noexcept {
        if (depth_ != 0 || !std::exchange(has_removed_, false)) return;
        // Their destructors may call this dispatcher, so they run at the end. Moving nodes allocates nothing.
        name_map gone_names;
        type_map gone_types;
        ack_map gone_acks;
        auto const move_removed = [](auto& handlers, auto& gone) {
            for (auto it = handlers.begin(); it != handlers.end();) {
                auto const current = it++;
                if (current->second.removed) gone.insert(handlers.extract(current));
            }
        };
        move_removed(by_name_, gone_names);
        move_removed(by_type_, gone_types);
        move_removed(by_ack_, gone_acks);
    }

    type_map by_type_;
    name_map by_name_;
    ack_map by_ack_;
    std::shared_ptr<mismatch_function> mismatch_; // shared with a call of it, which may replace it
    registration last_{};
    std::size_t depth_ = 0; // of dispatches within dispatches
    bool has_removed_ = false;
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
