// The connections of a cluster::redis_node to Redis, on hiredis.
#pragma once

#include "watchers.hpp"

#include <socketless/cluster/redis_node.hpp>
#include <socketless/core/time.hpp>

#include <hiredis/async.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace posix_driver {

namespace cluster = socketless::cluster;

/// Connects, and again after a loss, ever more slowly. `mode` is the node's, as the events; `say` gets what goes wrong.
class redis final : public companion {
public:
    redis(cluster::redis_node& node, cluster::redis_mode mode, std::string host, std::uint16_t port,
          std::function<void(cluster::event&)> handle, std::function<void(std::string)> say)
        : node_(node), host_(std::move(host)), port_(port), handle_(std::move(handle)), say_(std::move(say)) {
        if (mode == cluster::redis_mode::pubsub) links_.pop_back();
        std::signal(SIGPIPE, SIG_IGN); // hiredis writes to connections that are lost
    }
    void begin(watchers& network) override { network_ = &network; }
    void end() override {
        for (auto* const act : {::redisAsyncHandleWrite, ::redisAsyncFree}) // the sessions of the last sockets go out
            for (link& l : links_)
                if (l.context != nullptr) act(l.context);
    }

    bool drive(socketless::time_point now) override {
        bool has_acted = false;
        node_.handle_timeout(now);
        for (link& l : links_)
            if (l.context == nullptr && l.due <= now) connect(l);
        for (; auto e = node_.poll_event(); has_acted = true) handle_(*e);
        for (; auto const command = has_room() ? node_.poll_transmit() : std::nullopt; has_acted = true) send(*command);
        return has_acted;
    }

    [[nodiscard]] std::optional<socketless::time_point> poll_timeout() const override {
        auto next = node_.poll_timeout();
        for (link const& l : links_)
            if (l.context == nullptr) next = socketless::earlier(next, l.due);
        return next;
    }

private:
    using enum cluster::redis_connection;
    using kind = cluster::redis_reply::kind;
    static constexpr std::chrono::milliseconds first_delay{50}, longest_delay{2'000};
    struct link { // one of the connections
        redis* owner;
        cluster::redis_connection connection;
        redisAsyncContext* context = nullptr; // frees itself when it is lost
        std::chrono::milliseconds delay = first_delay;
        socketless::time_point due = {}; // without a context: when to connect
    };
    static auto now() { return std::chrono::steady_clock::now(); }
    static link& of(redisAsyncContext const* context) { return *static_cast<link*>(context->data); }

    void connect(link& l) {
        auto* const c = ::redisAsyncConnect(host_.c_str(), port_);
        if (c == nullptr) return lose(l, "no memory");
        if (c->err != 0) return lose(l, c->errstr), ::redisAsyncFree(c);
        ::redisEnableKeepAlive(&c->c); // a network that loses all is noticed
        (l.context = c)->data = &l;
        c->ev = {c, watch<POLLIN>, unwatch<POLLIN>, watch<POLLOUT>, unwatch<POLLOUT>, unwatch<POLLIN, POLLOUT>};
        ::redisAsyncSetConnectCallback(c, [](redisAsyncContext const* made, int status) {
            if (status != REDIS_OK) return lose(of(made), made->c.errstr);
            of(made).owner->node_.connected(of(made).connection, now());
        });
        ::redisAsyncSetDisconnectCallback(c, [](redisAsyncContext const* lost, int) {
            lose(of(lost), lost->c.errstr);
            of(lost).owner->node_.lost(of(lost).connection, now());
        });
    }

    template <short What>
    static void watch(void* p) {
        auto* const c = static_cast<redisAsyncContext*>(p);
        constexpr auto handle = What == POLLIN ? ::redisAsyncHandleRead : ::redisAsyncHandleWrite;
        of(c).owner->network_->watch(c->c.fd, std::bind_front(handle, c), What);
    }
    template <short... What>
    static void unwatch(void* p) {
        auto const* const c = static_cast<redisAsyncContext*>(p);
        (of(c).owner->network_->unwatch(c->c.fd, What), ...);
    }
    static void lose(link& l, std::string const& why) { // empty: on purpose
        if (!why.empty()) l.owner->say_(why + "; serving alone, trying again");
        l = {l.owner, l.connection, nullptr, std::min(l.delay * 2, longest_delay), now() + l.delay};
    }

    // What Redis does not take waits in the node, which has a limit.
    bool has_room() const { return !links_[0].context || ::sdslen(links_[0].context->c.obuf) < 1'000'000; }

    void send(cluster::redis_command const& command) {
        std::vector<char const*> words;
        std::vector<std::size_t> sizes;
        for (auto const word : command.words) words.push_back(word.data()), sizes.push_back(word.size());
        auto* const token = reinterpret_cast<void*>(static_cast<std::uintptr_t>(command.token));
        ::redisAsyncCommandArgv(links_[static_cast<std::size_t>(command.connection)].context, take, token,
                                static_cast<int>(words.size()), words.data(), sizes.data());
    }

    static void take(redisAsyncContext* context, void* said, void* token) {
        if (said == nullptr) return; // the connection is lost
        parts kept;
        cluster::redis_reply const reply = translate(*static_cast<redisReply*>(said), kept);
        auto& self = *of(context).owner;
        reply.type == kind::error ? self.say_(std::string(reply.text)) : void(of(context).delay = first_delay);
        if (of(context).connection == subscriptions) return self.node_.pushed(reply, now());
        self.node_.replied(reinterpret_cast<std::uintptr_t>(token), reply, now());
    }

    // `kept` holds the elements of arrays, which a reply borrows.
    using parts = std::deque<std::vector<cluster::redis_reply>>;
    static cluster::redis_reply translate(redisReply const& from, parts& kept) {
        if (from.type == REDIS_REPLY_NIL) return {};
        if (from.type == REDIS_REPLY_INTEGER) return {.type = kind::integer, .integer = from.integer};
        if (from.type == REDIS_REPLY_ERROR) return {.type = kind::error, .text = {from.str, from.len}};
        if (from.type != REDIS_REPLY_ARRAY) return {.type = kind::text, .text = {from.str, from.len}};
        auto& elements = kept.emplace_back();
        for (std::size_t i = 0; i != from.elements; ++i) elements.push_back(translate(*from.element[i], kept));
        return {.type = kind::array, .elements = elements};
    }

    cluster::redis_node& node_;
    std::string host_;
    std::uint16_t port_;
    std::function<void(cluster::event&)> handle_;
    std::function<void(std::string)> say_;
    watchers* network_ = nullptr;
    std::vector<link> links_ = {{this, commands}, {this, subscriptions}, {this, reader}}; // by redis_connection
};

} // namespace posix_driver
