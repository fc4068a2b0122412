// Redis Pub/Sub as the bus: what @socket.io/redis-adapter 8.3.0 does with its two clients.
#pragma once

#include <socketless/cluster/detail/bus.hpp>
#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/detail/node_core.hpp>
#include <socketless/cluster/detail/redis_channels.hpp>
#include <socketless/cluster/detail/redis_formats.hpp>
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
#include <span>
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
class redis_bus final : public bus {
public:
    explicit redis_bus(redis_options options)
        : when_lost_(options.when_lost), has_specific_responses_(options.publish_on_specific_response_channel),
          subscriptions_(std::move(options.prefix), options.max_namespaces) {}

    //=== what the node wants ===//

    void begin(node_core& core) override {
        core_ = &core;
        subscriptions_.begin(core.uid());
    }
    [[nodiscard]] bool is_alone() const noexcept override { return false; }

    result<void> publish(message const& m) override {
        bool const is_broadcast = m.type == message_type::broadcast;
        std::string bytes;
        if (auto const made = is_broadcast ? encode_redis_broadcast(bytes, m) : encode_redis_request(bytes, m); !made)
            return made;
        if (is_too_large(bytes)) return error{errc::message_too_large};
        publish(is_broadcast ? broadcast_channel(prefix(), m.nsp, m.rooms) : channel_of(prefix(), of_requests, m.nsp),
                std::move(bytes));
        return {};
    }

    result<void> ask(message const& m, bool is_urgent) override {
        std::string bytes;
        if (auto const made = encode_redis_request(bytes, m); !made) return made;
        if (is_too_large(bytes)) return error{errc::message_too_large};
        auto const until = deadline(core_->now(), m.timeout.value_or(core_->options().request_timeout));
        bool const is_heard = subscriptions_.keep(m.nsp, until);
        question q{m.nsp, m.request_id, {}, question_state::waits_to_listen};
        if (!is_urgent)
            q.bytes = std::move(bytes);
        else if (!publish(channel_of(prefix(), of_requests, m.nsp), std::move(bytes)))
            return {};
        if (is_heard && has_room_for(q.size()))
            add_question(std::move(q));
        else if (!is_urgent)
            core_->note_dropped(1);
        return {};
    }

    void forget(std::string_view request_id) noexcept override {
        auto const asked = tokens_.find(request_id);
        if (asked != tokens_.end()) take_question(questions_.find(asked->second));
    }

    result<void> respond(std::string_view node, message const& m) override {
        std::string bytes;
        if (auto const made = encode_redis_response(bytes, m); !made) return made;
        if (is_too_large(bytes)) return error{errc::message_too_large};
        // The reference replies to server-side events on the channel of all nodes, whatever its option says.
        bool const is_for_all = m.type == message_type::server_side_emit_response;
        publish(response_channel(m.nsp, is_for_all ? std::string_view() : node), std::move(bytes));
        return {};
    }

    void declare(std::string_view nsp) { subscriptions_.declare(nsp); }
    [[nodiscard]] bool follows_namespaces() const noexcept override { return true; }
    void note_namespace(std::string_view nsp) override { subscriptions_.use(nsp); }
    void note_empty_namespace(std::string_view nsp) override { subscriptions_.release(nsp, core_->now()); }

    void handle_timeout(time_point now) override { subscriptions_.handle_timeout(now); }
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept override {
        return subscriptions_.poll_timeout();
    }

    //=== what happened ===//

    void connected(redis_connection connection) {
        if (connection == redis_connection::subscriptions) {
            if (!subscriptions_.is_up()) subscriptions_.connected();
        } else {
            is_up_ = true;
            tell_if_connected();
        }
    }

    void lost(redis_connection connection) {
        if (connection == redis_connection::subscriptions)
            subscriptions_.lost();
        else if (std::exchange(is_up_, false))
            forget_commands();
        if (std::exchange(is_told_, false)) core_->note_lost();
    }

    void replied(std::uint64_t token, redis_reply const& reply) {
        if (is_of_publish(token)) {
            if (publishes_due_ == 0) return;
            --publishes_due_;
            if (reply.type == redis_reply::kind::error) core_->note_dropped(1);
            return;
        }
        auto const found = questions_.find(token);
        if (found == questions_.end() || found->second.state != question_state::asked) return;
        question q = take_question(found);
        if (!core_->awaits(q.request_id)) return;
        auto const count = subscribers_in(reply);
        auto const others = count ? std::optional(*count == 0 ? 0 : *count - 1) : std::nullopt;
        // If Redis does not tell, there may be others: the request ends when its time runs out.
        if (!q.bytes.empty() && others != std::size_t{0} &&
            !publish(channel_of(prefix(), of_requests, q.nsp), std::move(q.bytes)))
            return;
        if (others) core_->note_expected(q.request_id, *others);
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
        if (what == "message" && count == 3) return take_message(words[1], words[2]);
        bool const has_begun = what == "psubscribe" || what == "subscribe";
        if (count != 3 || (!has_begun && what != "punsubscribe" && what != "unsubscribe")) return;
        auto const nsp = subscriptions_.note_subscription(words[1], what.starts_with('p'), has_begun);
        if (!nsp) return;
        tell_if_connected();
        for (auto& [token, q] : questions_)
            if (q.state == question_state::waits_to_listen && q.nsp == *nsp) listening_.push_back(token);
        std::ranges::sort(listening_);
        for (std::uint64_t const token : std::exchange(listening_, {})) count_nodes(token);
    }

    //=== what to do ===//

    [[nodiscard]] std::optional<redis_command> poll_transmit() {
        if (auto words = subscriptions_.poll()) {
            sending_ = std::move(*words);
            return command_of(redis_connection::subscriptions, 0);
        }
        if (!is_up_ || commands_.empty()) return std::nullopt;
        command c = std::move(commands_.front());
        commands_.pop();
        queued_ -= c.size();
        sending_ = std::move(c.words);
        if (is_of_publish(c.token))
            ++publishes_due_;
        else if (auto const found = questions_.find(c.token); found != questions_.end())
            found->second.state = question_state::asked;
        return command_of(redis_connection::commands, c.token);
    }

private:
    struct command {
        std::uint64_t token;
        redis_words words;

        [[nodiscard]] std::size_t size() const noexcept {
            return sizeof(command) + words.words[1].size() + words.words[2].size();
        }
    };

    enum class question_state : std::uint8_t { waits_to_listen, queued, asked };

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

    [[nodiscard]] std::string const& prefix() const noexcept { return subscriptions_.prefix(); }
    [[nodiscard]] bool is_too_large(std::string_view bytes) const noexcept {
        return bytes.size() > core_->options().max_message;
    }

    void tell_if_connected() {
        if (is_told_ || !is_up_ || !subscriptions_.is_confirmed("/")) return;
        is_told_ = true;
        core_->note_connected();
    }

    //=== commands ===//

    // The lowest bit of a token says what it is for.
    [[nodiscard]] static constexpr bool is_of_publish(std::uint64_t token) noexcept { return token % 2 != 0; }
    [[nodiscard]] std::uint64_t new_token(bool is_for_publish) noexcept {
        last_number_ += 1;
        return last_number_ * 2 + (is_for_publish ? 1 : 0);
    }

    [[nodiscard]] redis_command command_of(redis_connection connection, std::uint64_t token) {
        for (std::size_t i = 0; i != sending_.count; ++i) sending_words_[i] = sending_.words[i];
        return {connection, token, std::span(sending_words_).first(sending_.count)};
    }

    [[nodiscard]] bool has_room_for(std::size_t size) const noexcept {
        std::size_t const most = core_->options().max_queued;
        return (is_up_ || when_lost_ == redis_fate::keep) && size <= most - std::min(queued_, most);
    }

    // False if the message was dropped.
    bool publish(std::string channel, std::string bytes) {
        command c{new_token(true), {{"PUBLISH", std::move(channel), std::move(bytes)}, 3}};
        if (!has_room_for(c.size())) {
            core_->note_dropped(1);
            return false;
        }
        push(std::move(c));
        core_->note_sent();
        return true;
    }

    void push(command c) {
        std::size_t const size = c.size();
        commands_.push(std::move(c));
        queued_ += size;
    }

    // The connection of commands is lost, and with it the replies that are due.
    void forget_commands() {
        publishes_due_ = 0;
        std::size_t dropped = 0;
        bool const drops_all = when_lost_ == redis_fate::drop;
        for (auto i = questions_.begin(); i != questions_.end();) {
            auto const at = i++;
            if (at->second.state != question_state::asked && !drops_all) continue;
            if (!take_question(at).bytes.empty()) ++dropped;
        }
        for (; drops_all && !commands_.empty(); commands_.pop()) {
            if (is_of_publish(commands_.front().token)) ++dropped;
            queued_ -= commands_.front().size();
        }
        if (dropped != 0) core_->note_dropped(dropped);
    }

    //=== questions ===//

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
        if (listens) count_nodes(token);
    }

    question take_question(question_map::iterator at) noexcept {
        queued_ -= at->second.size();
        question q = std::move(at->second);
        questions_.erase(at);
        if (auto const request = tokens_.find(q.request_id); request != tokens_.end()) tokens_.erase(request);
        return q;
    }

    void count_nodes(std::uint64_t token) {
        auto const at = questions_.find(token);
        if (at == questions_.end()) return;
        if (!core_->awaits(at->second.request_id)) return static_cast<void>(take_question(at));
        at->second.state = question_state::queued;
        push({token, {{"PUBSUB", "NUMSUB", channel_of(prefix(), of_requests, at->second.nsp)}, 3}});
    }

    // The reply to PUBSUB NUMSUB: {channel, count}.
    [[nodiscard]] static std::optional<std::size_t> subscribers_in(redis_reply const& reply) noexcept {
        if (reply.elements.size() != 2) return std::nullopt;
        redis_reply const& count = reply.elements[1];
        if (count.type != redis_reply::kind::integer || count.integer < 0) return std::nullopt;
        return static_cast<std::size_t>(count.integer);
    }

    //=== messages ===//

    [[nodiscard]] redis_reader reader() const noexcept {
        return {core_->bounds(), core_->options().max_rooms, core_->uid()};
    }
    [[nodiscard]] std::string response_channel(std::string_view nsp, std::string_view node) const {
        bool const is_specific = has_specific_responses_ && !node.empty();
        return channel_of(prefix(), of_responses, nsp, is_specific ? std::optional(node) : std::nullopt);
    }

    void take_broadcast(std::string_view pattern, std::string_view channel, std::string_view bytes) {
        auto const place = subscriptions_.find_pattern(pattern);
        if (!place) return;
        std::string const begin = channel_of(prefix(), of_broadcasts, place->nsp);
        if (!channel.starts_with(begin)) return;
        std::string_view room = channel.substr(begin.size());
        if (!room.empty()) room.remove_suffix(1); // "#"
        // A message for others costs no more than this.
        if (room.empty() ? !core_->has_sockets(place->nsp) : !core_->has_room(place->nsp, room)) return;
        if (is_too_large(bytes)) return core_->note_ignored();
        act_on(reader().read_broadcast(bytes, place->nsp, incoming_));
    }

    void take_message(std::string_view channel, std::string_view bytes) {
        auto const place = subscriptions_.find_channel(channel);
        if (!place) return;
        if (is_too_large(bytes)) return core_->note_ignored();
        if (place->channel == redis_channel::requests) {
            auto const read = reader().read_request(bytes, place->nsp, incoming_);
            if (!read && read.error().code == errc::unknown_packet_type && answers_with_names(bytes, place->nsp))
                return;
            return is_for_one_socket(read) ? act_on_older() : act_on(read);
        }
        auto const read = reader().read_response(bytes, place->nsp, incoming_,
                                                 [this](std::string_view id) { return core_->awaits(id); });
        act_on(read);
        // On the other channel, this is an answer to another node.
        if (read && !*read && place->channel == redis_channel::own_responses) core_->note_ignored();
    }

    // Other nodes want to know rooms or ids of sockets.
    [[nodiscard]] bool answers_with_names(std::string_view bytes, std::string_view nsp) {
        auto const type = reader().read_request_for_names(bytes, nsp, incoming_);
        if (!type) return false;
        auto const names =
            *type == redis_type::all_rooms ? core_->here().room_names(incoming_.nsp) : core_->here().sids_in(incoming_);
        std::string answer;
        bool const is_good =
            encode_redis_names(answer, incoming_.request_id, *type, names).has_value() && !is_too_large(answer);
        if (is_good) publish(response_channel(incoming_.nsp, incoming_.uid), std::move(answer));
        is_good ? core_->note_received() : core_->note_ignored();
        return true;
    }

    void act_on(result<bool> const& read) {
        if (!read) return core_->note_ignored();
        if (*read) core_->received(incoming_);
    }

    // Only requests of older adapters, for one socket, want to know that these have been done.
    [[nodiscard]] bool is_for_one_socket(result<bool> const& read) const noexcept {
        using enum message_type;
        bool const changes =
            incoming_.type == sockets_join || incoming_.type == sockets_leave || incoming_.type == disconnect_sockets;
        return read && *read && changes && !incoming_.request_id.empty();
    }
    void act_on_older() {
        if (!core_->here().has_socket(incoming_.nsp, incoming_.rooms.front())) return; // the socket of another node
        std::string const id = std::exchange(incoming_.request_id, {});
        core_->received(incoming_);
        std::string bytes;
        if (!encode_redis_confirmation(bytes, id) || is_too_large(bytes)) return;
        publish(response_channel(incoming_.nsp, incoming_.uid), std::move(bytes));
    }

    node_core* core_ = nullptr;
    redis_fate when_lost_;
    bool has_specific_responses_;
    bool is_up_ = false;   // the connection of commands
    bool is_told_ = false; // the application knows that the bus is there
    redis_subscriptions subscriptions_;
    core_detail::fifo<command> commands_;
    question_map questions_;                      // by their tokens
    core_detail::name_map<std::uint64_t> tokens_; // by the ids of their requests, which are the node's own
    std::vector<std::uint64_t> listening_;        // tokens of questions that need wait no longer
    std::size_t queued_ = 0;                      // bytes of commands and questions
    std::size_t publishes_due_ = 0;               // replies
    std::uint64_t last_number_ = 0;               // of a token
    message incoming_;
    redis_words sending_;
    std::array<std::string_view, 4> sending_words_;
};

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>
