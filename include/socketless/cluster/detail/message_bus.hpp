// A bus of the caller's own: messages in MessagePack, and heartbeats by which the nodes know each other.
#pragma once

#include <socketless/cluster/bus_transmit.hpp>
#include <socketless/cluster/detail/bus.hpp>
#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/detail/message_codec.hpp>
#include <socketless/cluster/detail/node_core.hpp>
#include <socketless/cluster/options.hpp>
#include <socketless/core/detail/fifo.hpp>
#include <socketless/core/detail/name_map.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/hash_key.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

// Source: socket.io-adapter 2.5.8, ClusterAdapterWithHeartbeat; heartbeats are those of the whole node, in "/".
class message_bus final : public bus {
public:
    message_bus(heartbeat_options options, hash_key const& key) : options_(options), nodes_(key) {
        options_.interval = std::max(options_.interval, milliseconds(1)); // or a heartbeat would always be due
    }

    //=== what the node wants ===//

    void begin(node_core& core) override {
        core_ = &core;
        sure_at_ = deadline(core.now(), options_.timeout);
        say(message_type::initial_heartbeat);
    }
    // At first it is not known: the others have yet to answer.
    [[nodiscard]] bool is_alone() const noexcept override {
        return is_closed_ || (nodes_.empty() && core_->now() >= sure_at_);
    }

    result<bool> publish(message const& m) override {
        auto const sent = send({}, m);
        return sent ? result<bool>(false) : sent.error();
    }
    result<void> ask(message const& m, bool) override {
        if (!is_alone())
            if (auto const sent = send({}, m); !sent) return sent;
        std::vector<std::string> names;
        names.reserve(nodes_.size());
        for (auto const& [name, node] : nodes_) names.push_back(name);
        core_->note_expected(m.request_id, names);
        return {};
    }
    void count_others(message const& m) override { core_->note_expected(m.request_id, nodes_.size()); }
    void forget(std::string_view) noexcept override {}
    result<void> respond(std::string_view node, message const& m) override { return send(node, m); }

    [[nodiscard]] bool follows_namespaces() const noexcept override { return false; }
    void note_namespace(std::string_view) override {}
    void note_empty_namespace(std::string_view) override {}

    //=== what happened ===//

    void received(std::string_view bytes) {
        if (is_closed_ || bytes.size() > core_->options().max_message ||
            !decode(bytes, incoming_, core_->bounds(), core_->options().max_rooms))
            return core_->note_ignored();
        if (incoming_.uid == core_->uid()) return;
        if (incoming_.type == message_type::adapter_close) return forget(incoming_.uid);
        if (incoming_.uid != emitter_uid && !note_heard(incoming_.uid)) return core_->note_ignored();
        if (incoming_.type == message_type::initial_heartbeat) say(message_type::heartbeat);
        bool const is_heartbeat =
            incoming_.type == message_type::initial_heartbeat || incoming_.type == message_type::heartbeat;
        if (!is_heartbeat) core_->received(incoming_);
    }

    void close() {
        if (is_closed_) return;
        say(message_type::adapter_close);
        is_closed_ = true;
        while (!nodes_.empty()) forget(std::string(nodes_.begin()->first));
    }

    void handle_timeout(time_point now) override {
        if (is_closed_) return;
        if (now >= next_heartbeat_) say(message_type::heartbeat);
        if (now < next_check_) return;
        std::vector<std::string> silent;
        next_check_ = time_point::max();
        for (auto const& [name, heard] : nodes_) {
            if (now >= end_of_patience(heard))
                silent.push_back(name);
            else
                next_check_ = std::min(next_check_, end_of_patience(heard));
        }
        std::ranges::sort(silent); // the order of a hash table is nobody's business
        for (auto const& name : silent) forget(name);
    }
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept override {
        if (is_closed_) return std::nullopt;
        return nodes_.empty() ? next_heartbeat_ : std::min(next_heartbeat_, next_check_);
    }

    //=== what to do ===//

    [[nodiscard]] std::optional<bus_transmit> poll_transmit() {
        if (queue_.empty()) return std::nullopt;
        sending_ = std::move(queue_.front());
        queue_.pop();
        queued_ -= sending_.size();
        return bus_transmit{sending_.to, sending_.bytes};
    }

    [[nodiscard]] std::size_t node_count() const noexcept { return nodes_.size(); }

private:
    struct queued_message {
        std::string to;
        std::string bytes;

        [[nodiscard]] std::size_t size() const noexcept { return sizeof(queued_message) + to.size() + bytes.size(); }
    };

    result<void> send(std::string_view to, message const& m) {
        if (is_closed_) return {};
        queued_message q{std::string(to), {}};
        if (auto const encoded = encode(q.bytes, m); !encoded) return encoded;
        if (q.bytes.size() > core_->options().max_message) return error{errc::message_too_large};
        if (to.empty()) note_said(); // any message for all says that the node is there
        std::size_t const size = q.size();
        if (size > core_->options().max_queued - std::min(queued_, core_->options().max_queued)) {
            core_->note_dropped(1);
            return {};
        }
        queue_.push(std::move(q));
        queued_ += size;
        core_->note_sent();
        return {};
    }
    void note_said() noexcept { next_heartbeat_ = deadline(core_->now(), options_.interval); }
    // Says that the node is there, or goes.
    void say(message_type type) {
        note_said(); // even if the limits are too small for it: the next try is due an interval later
        message m;
        m.type = type;
        m.uid = core_->uid();
        m.nsp = "/";
        send({}, m).ignore();
    }

    // When a node that has last been heard then is gone.
    [[nodiscard]] time_point end_of_patience(time_point heard) const noexcept {
        return deadline(deadline(heard, options_.timeout), milliseconds(1));
    }
    // False if there are too many nodes.
    [[nodiscard]] bool note_heard(std::string const& name) {
        if (auto const known = nodes_.find(name); known != nodes_.end()) {
            known->second = core_->now();
            return true;
        }
        if (nodes_.size() >= options_.max_nodes) return false;
        nodes_.emplace(name, core_->now());
        next_check_ = std::min(next_check_, end_of_patience(core_->now()));
        core_->note_joined(name);
        return true;
    }
    void forget(std::string const& name) {
        auto const known = nodes_.extract(name);
        if (!known.empty()) core_->note_left(known.key());
    }

    heartbeat_options options_;
    node_core* core_ = nullptr;
    core_detail::name_map<time_point> nodes_; // when something came from each of them
    time_point sure_at_;                      // who has not been heard by then is not there
    time_point next_heartbeat_;
    time_point next_check_ = time_point::max(); // no node is too silent before
    bool is_closed_ = false;
    message incoming_;
    core_detail::fifo<queued_message> queue_;
    std::size_t queued_ = 0;
    queued_message sending_;
};

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>
