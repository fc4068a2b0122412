// What a node does with Redis, whatever the mode: commands and their replies, subscriptions, requests.
#pragma once

#include <socketless/cluster/detail/bus.hpp>
#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/detail/node_core.hpp>
#include <socketless/cluster/detail/redis_channels.hpp>
#include <socketless/cluster/detail/redis_subscriptions.hpp>
#include <socketless/cluster/redis_command.hpp>
#include <socketless/cluster/redis_options.hpp>
#include <socketless/core/detail/fifo.hpp>
#include <socketless/core/detail/name_map.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

// How many nodes there are, Redis tells: as many as listen to the channel of requests (PUBSUB NUMSUB). A request waits
// for that, unless it is urgent: then it goes out first. Where the node does not listen to the answers yet, that comes
// first of all.
class redis_bus : public bus {
public:
    //=== what the node wants ===//

    void begin(node_core& core) override {
        core_ = &core;
        subscriptions_.begin(core.uid());
    }
    [[nodiscard]] bool is_alone() const noexcept override { return false; }

    result<void> ask(message const& m, bool is_urgent) override {
        std::string bytes;
        if (auto const made = encode_request(bytes, m); !made) return made;
        if (is_too_large(bytes)) return error{errc::message_too_large};
        bool const is_heard = listen_for(m);
        question q{m.nsp, m.request_id, {}, question_state::waits};
        if (!is_urgent)
            q.bytes = std::move(bytes);
        else if (!publish_on(request_channel(m.nsp), std::move(bytes)))
            return {};
        if (is_heard && has_room_for(q.size()))
            add_question(std::move(q));
        else if (!is_urgent)
            core().note_dropped(1);
        return {};
    }

    // This node listens too, and counts itself.
    void count_others(message const& m) override {
        question q{m.nsp, m.request_id, {}, question_state::waits};
        if (listen_for(m) && has_room_for(q.size())) add_question(std::move(q));
    }

    void forget(std::string_view request_id) noexcept override {
        auto const asked = tokens_.find(request_id);
        if (asked != tokens_.end()) take_question(questions_.find(asked->second));
    }

    void declare(std::string_view nsp) { subscriptions_.declare(nsp); }
    [[nodiscard]] bool follows_namespaces() const noexcept override { return true; }
    void note_namespace(std::string_view nsp) override { subscriptions_.use(nsp); }
    void note_empty_namespace(std::string_view nsp) override { subscriptions_.release(nsp, core().now()); }

    void handle_timeout(time_point now) override { subscriptions_.handle_timeout(now); }
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept override {
        return subscriptions_.poll_timeout();
    }

    //=== what happened ===//

    virtual void connected(redis_connection connection) {
        if (connection == redis_connection::subscriptions) {
            if (!subscriptions_.is_up()) subscriptions_.connected();
        } else if (connection == redis_connection::commands) {
            is_up_ = true;
            tell_if_connected();
            ask_waiting([this](question const& q) { return subscriptions_.is_confirmed(q.nsp); });
        }
    }

    virtual void lost(redis_connection connection) {
        if (connection == redis_connection::subscriptions)
            subscriptions_.lost();
        else if (connection == redis_connection::commands && std::exchange(is_up_, false))
            forget_commands();
        if (std::exchange(is_told_, false)) core().note_lost();
    }

    void replied(std::uint64_t token, redis_reply const& reply) {
        if (is_of_publish(token)) {
            if (publishes_due_ == 0) return;
            --publishes_due_;
            if (reply.type == redis_reply::kind::error) core().note_dropped(1);
            return;
        }
        auto const found = questions_.find(token);
        if (found == questions_.end()) return take_reply(token, reply);
        if (found->second.state != question_state::asked) return;
        question q = take_question(found);
        if (!core().awaits(q.request_id)) return;
        auto const count = subscribers_in(reply);
        auto const others = count ? std::optional(*count == 0 ? 0 : *count - 1) : std::nullopt;
        // If Redis does not tell, there may be others: the request ends when its time runs out.
        if (!q.bytes.empty() && others != std::size_t{0} && !publish_on(request_channel(q.nsp), std::move(q.bytes)))
            return;
        if (others) core().note_expected(q.request_id, *others);
    }

    void pushed(redis_reply const& push) {
        std::array<std::string_view, 4> words;
        std::size_t count = 0;
        for (redis_reply const& element : push.elements) {
            if (count == words.size()) break;
            words[count++] = element.type == redis_reply::kind::text ? element.text : std::string_view();
        }
        std::string_view const what = words[0];
        if (what == "pmessage" && count == 4) return take_broadcast(words[1], words[2], words[3]);
        if (what == "message" && count == 3) {
            auto const place = subscriptions_.find_channel(words[1]);
            if (!place) return;
            return is_too_large(words[2]) ? core().note_ignored() : take_message(*place, words[2]);
        }
        bool const has_begun = what == "psubscribe" || what == "subscribe";
        if (count != 3 || (!has_begun && what != "punsubscribe" && what != "unsubscribe")) return;
        auto const nsp = subscriptions_.note_subscription(words[1], what.starts_with('p'), has_begun);
        if (!nsp) return;
        tell_if_connected();
        ask_waiting([&nsp](question const& q) { return q.nsp == *nsp; });
    }

    //=== what to do ===//

    [[nodiscard]] virtual std::optional<redis_command> poll_transmit() {
        if (auto words = subscriptions_.poll()) return send(redis_connection::subscriptions, 0, std::move(*words));
        if (!is_up_ || commands_.empty()) return std::nullopt;
        command c = std::move(commands_.front());
        commands_.pop();
        queued_ -= c.size();
        if (is_of_publish(c.token))
            ++publishes_due_;
        else if (auto const found = questions_.find(c.token); found != questions_.end())
            found->second.state = question_state::asked;
        return send(redis_connection::commands, c.token, std::move(c.words));
    }

protected:
    redis_bus(redis_layout const& layout, redis_options options)
        : when_lost_(options.when_lost), subscriptions_(layout, std::move(options.prefix), options.max_namespaces) {}

    [[nodiscard]] node_core& core() const noexcept { return *core_; } // since `begin`
    [[nodiscard]] std::string const& prefix() const noexcept { return subscriptions_.prefix(); }
    [[nodiscard]] bool is_too_large(std::string_view bytes) const noexcept {
        return bytes.size() > core().options().max_message;
    }
    // Whether the connection of commands is there.
    [[nodiscard]] bool is_up() const noexcept { return is_up_; }

    void tell_if_connected() {
        if (is_told_ || !is_up_ || !is_ready() || !subscriptions_.is_confirmed("/")) return;
        is_told_ = true;
        core().note_connected();
    }

    //=== what a mode does differently ===//

    virtual result<void> encode_request(std::string& bytes, message const& m) = 0;
    [[nodiscard]] virtual std::string request_channel(std::string_view nsp) const = 0;
    // What has come by a pattern, and on a channel.
    virtual void take_broadcast(std::string_view pattern, std::string_view channel, std::string_view bytes) = 0;
    virtual void take_message(redis_subscriptions::place const& from, std::string_view bytes) = 0;
    // The reply to a command that the mode has pushed, or to none that is known.
    virtual void take_reply(std::uint64_t token, redis_reply const& reply) = 0;
    // Whether all is there but the connection of commands and the subscriptions.
    [[nodiscard]] virtual bool is_ready() const noexcept = 0;

    //=== commands ===//

    // False if the message was dropped.
    bool publish_on(std::string channel, std::string bytes) {
        return push_message({"PUBLISH", std::move(channel), std::move(bytes)});
    }
    // The same of any command that carries one message for others, or keeps one.
    bool push_message(redis_words words) {
        command c{new_token(true), std::move(words)};
        if (!has_room_for(c.size())) {
            core().note_dropped(1);
            return false;
        }
        push(std::move(c));
        core().note_sent();
        return true;
    }
    // A command whose reply the mode takes; it is forgotten when the connection is lost. Returns its token.
    std::uint64_t push(redis_words words) {
        command c{new_token(false), std::move(words)};
        std::uint64_t const token = c.token;
        push(std::move(c));
        return token;
    }
    [[nodiscard]] std::uint64_t new_token(bool is_for_publish) noexcept {
        last_number_ += 1;
        return last_number_ * 2 + (is_for_publish ? 1 : 0);
    }

    [[nodiscard]] redis_command send(redis_connection connection, std::uint64_t token, redis_words words) {
        sending_ = std::move(words);
        sending_words_.assign(sending_.begin(), sending_.end());
        return {connection, token, sending_words_};
    }

    [[nodiscard]] bool has_room_for(std::size_t size) const noexcept {
        std::size_t const most = core().options().max_queued;
        return (is_up_ || when_lost_ == redis_fate::keep) && size <= most - std::min(queued_, most);
    }

    redis_subscriptions const& subscriptions() const noexcept { return subscriptions_; }

private:
    struct command {
        std::uint64_t token;
        redis_words words;

        [[nodiscard]] std::size_t size() const noexcept {
            std::size_t n = sizeof(command);
            for (std::string const& word : words) n += sizeof(std::string) + word.size();
            return n;
        }
    };

    // A question waits until the node hears the answers, and the connection of commands is there.
    enum class question_state : std::uint8_t { waits, queued, asked };

    // A request of this node for which Redis is asked how many nodes there are.
    struct question {
        std::string nsp;
        std::string request_id;
        std::string bytes; // the request; empty if it has been published
        question_state state;

        [[nodiscard]] std::size_t size() const noexcept {
            return sizeof(question) + nsp.size() + request_id.size() + bytes.size();
        }
    };
    using question_map = std::unordered_map<std::uint64_t, question>;

    // The lowest bit of a token says what it is for.
    [[nodiscard]] static constexpr bool is_of_publish(std::uint64_t token) noexcept { return token % 2 != 0; }

    void push(command c) {
        std::size_t const size = c.size();
        commands_.push(std::move(c));
        queued_ += size;
    }

    // The connection of commands is lost, and with it the replies that are due. Of commands only what is to be
    // published is kept: questions that are kept are asked anew. Those of requests that end meanwhile take up no room
    // then.
    void forget_commands() {
        publishes_due_ = 0;
        std::size_t dropped = 0;
        bool const drops_all = when_lost_ == redis_fate::drop;
        for (auto i = questions_.begin(); i != questions_.end();) {
            auto const at = i++;
            if (at->second.state == question_state::asked || drops_all) {
                if (!take_question(at).bytes.empty()) ++dropped;
            } else {
                at->second.state = question_state::waits;
            }
        }
        for (std::size_t i = commands_.size(); i != 0; --i) {
            command c = std::move(commands_.front());
            commands_.pop();
            bool const is_published = is_of_publish(c.token);
            if (!drops_all && is_published) {
                commands_.push(std::move(c));
                continue;
            }
            if (is_published) ++dropped;
            queued_ -= c.size();
        }
        if (dropped != 0) core().note_dropped(dropped);
    }

    //=== questions ===//

    // Until the request ends. Whether that is possible.
    [[nodiscard]] bool listen_for(message const& m) {
        auto const timeout = m.timeout.value_or(core().options().request_timeout);
        return subscriptions_.keep(m.nsp, deadline(core().now(), timeout));
    }

    // There are no more of them than requests that wait.
    void add_question(question q) {
        std::uint64_t const token = new_token(false);
        std::size_t const size = q.size();
        bool const listens = subscriptions_.is_confirmed(q.nsp);
        auto const request = tokens_.try_emplace(q.request_id, token).first;
        core_detail::rollback undo([&]() noexcept { tokens_.erase(request); });
        questions_.emplace(token, std::move(q));
        undo.commit();
        queued_ += size;
        if (listens && is_up_) count_nodes(token);
    }

    question take_question(question_map::iterator at) noexcept {
        queued_ -= at->second.size();
        question q = std::move(at->second);
        questions_.erase(at);
        if (auto const request = tokens_.find(q.request_id); request != tokens_.end()) tokens_.erase(request);
        return q;
    }

    // What these questions have waited for has come.
    template <class Predicate>
    void ask_waiting(Predicate is_one) {
        if (!is_up_) return;
        for (auto const& [token, q] : questions_)
            if (q.state == question_state::waits && is_one(q)) listening_.push_back(token);
        std::ranges::sort(listening_);
        for (std::uint64_t const token : std::exchange(listening_, {})) count_nodes(token);
    }

    void count_nodes(std::uint64_t token) {
        auto const at = questions_.find(token);
        if (at == questions_.end()) return;
        if (!core().awaits(at->second.request_id)) return static_cast<void>(take_question(at));
        at->second.state = question_state::queued;
        push(command{token, {"PUBSUB", "NUMSUB", request_channel(at->second.nsp)}});
    }

    // The reply to PUBSUB NUMSUB: {channel, count}.
    [[nodiscard]] static std::optional<std::size_t> subscribers_in(redis_reply const& reply) noexcept {
        if (reply.elements.size() != 2) return std::nullopt;
        redis_reply const& count = reply.elements[1];
        if (count.type != redis_reply::kind::integer || count.integer < 0) return std::nullopt;
        return static_cast<std::size_t>(count.integer);
    }

    node_core* core_ = nullptr;
    redis_fate when_lost_;
    bool is_up_ = false;
    bool is_told_ = false; // the application knows that the bus is there
    redis_subscriptions subscriptions_;
    core_detail::fifo<command> commands_;
    question_map questions_;                      // by their tokens
    core_detail::name_map<std::uint64_t> tokens_; // by the ids of their requests, which are the node's own
    std::vector<std::uint64_t> listening_;        // tokens of questions that need wait no longer
    std::size_t queued_ = 0;                      // bytes of commands and questions
    std::size_t publishes_due_ = 0;               // replies
    std::uint64_t last_number_ = 0;               // of a token
    redis_words sending_;
    std::vector<std::string_view> sending_words_;
};

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>
