// To which channels of Redis a node listens: those of "/", and of each namespace in which it takes part.
#pragma once

#include <socketless/cluster/detail/redis_channels.hpp>
#include <socketless/core/detail/fifo.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/time.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

// The words of a command.
using redis_words = std::vector<std::string>;

// Where a message has come from, within a namespace.
enum class redis_channel : std::uint8_t { broadcasts, requests, responses, own_responses };

// What is wanted is kept beside what Redis has been told. So however often a namespace empties and fills between two
// polls, no more than its last state becomes a command.
class redis_subscriptions {
public:
    redis_subscriptions(redis_layout const& layout, std::string prefix, std::size_t max_namespaces)
        : layout_(layout), prefix_(std::move(prefix)), max_namespaces_(max_namespaces) {}

    void begin(std::string uid) {
        uid_ = std::move(uid);
        declare("/");
    }

    [[nodiscard]] std::string const& prefix() const noexcept { return prefix_; }

    //=== what the node wants ===//

    // The node takes part in a namespace for ever; as long as it has sockets there; until that time at least. False if
    // there are too many namespaces.
    bool declare(std::string_view nsp) {
        space* const s = find_or_add(nsp);
        if (s != nullptr) s->is_declared = true;
        return s != nullptr;
    }
    bool use(std::string_view nsp) {
        space* const s = find_or_add(nsp);
        if (s != nullptr) s->is_used = true;
        return s != nullptr;
    }
    bool keep(std::string_view nsp, time_point until) {
        space* const s = find_or_add(nsp);
        if (s == nullptr) return false;
        s->kept_until = std::max(s->kept_until, until);
        if (!s->is_declared && !s->is_used) next_end_ = std::min(next_end_, s->kept_until);
        return true;
    }
    // The node has no socket there any more. Answers that it waits for may still come.
    void release(std::string_view nsp, time_point now) {
        auto const found = spaces_.find(nsp);
        if (found == spaces_.end()) return;
        space& s = found->second;
        s.is_used = false;
        if (s.is_declared) return;
        if (s.kept_until > now)
            next_end_ = std::min(next_end_, s.kept_until);
        else
            end(found);
    }

    // Whether all that is published there comes.
    [[nodiscard]] bool is_confirmed(std::string_view nsp) const {
        auto const found = spaces_.find(nsp);
        return found != spaces_.end() && found->second.confirmed == all();
    }

    void handle_timeout(time_point now) {
        if (now < next_end_) return;
        next_end_ = time_point::max();
        for (auto i = spaces_.begin(); i != spaces_.end();) {
            auto const at = i++; // `end` may erase it
            space const& s = at->second;
            if (s.is_declared || s.is_used || s.is_ended) continue;
            if (s.kept_until <= now)
                end(at);
            else
                next_end_ = std::min(next_end_, s.kept_until);
        }
    }
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept {
        return next_end_ == time_point::max() ? std::nullopt : std::optional(next_end_);
    }

    //=== what happened ===//

    [[nodiscard]] bool is_up() const noexcept { return is_up_; }

    // The connection is there, and nothing is subscribed.
    void connected() {
        is_up_ = true;
        core_detail::rollback undo([&]() noexcept { is_up_ = false; });
        for (auto i = spaces_.begin(); i != spaces_.end(); ++i) note_change(i);
        undo.commit();
    }
    void lost() {
        is_up_ = false;
        changed_ = {};
        next_ = {};
        for (auto i = spaces_.begin(); i != spaces_.end();) {
            auto const at = i++;
            space& s = at->second;
            s.is_changed = s.is_subscribed = false;
            s.confirmed = 0;
            if (s.is_ended) spaces_.erase(at);
        }
    }

    // Redis says that a subscription has begun, or ended. Returns the namespace if all of it has begun now. Valid as
    // long as the node takes part in it.
    [[nodiscard]] std::optional<std::string_view> note_subscription(std::string_view channel, bool is_pattern,
                                                                    bool has_begun) {
        auto const found = is_pattern ? find_pattern(channel) : find_channel(channel);
        if (!found) return std::nullopt;
        space& s = spaces_.find(found->nsp)->second;
        std::uint8_t const bit = bit_of(found->channel);
        std::uint8_t const before = s.confirmed;
        s.confirmed = static_cast<std::uint8_t>(has_begun ? before | bit : before & ~bit);
        if (before == all() || s.confirmed != all()) return std::nullopt;
        return found->nsp;
    }

    struct place {
        std::string_view nsp; // valid as long as the node takes part in it
        redis_channel channel;
    };

    // Whose pattern that is.
    [[nodiscard]] std::optional<place> find_pattern(std::string_view pattern) const {
        if (!pattern.ends_with('*')) return std::nullopt;
        pattern.remove_suffix(1);
        return find(unescape_glob(pattern), redis_channel::broadcasts);
    }
    // The namespace and the kind of a channel that has no pattern.
    [[nodiscard]] std::optional<place> find_channel(std::string_view channel) const {
        if (auto const found = find(channel, redis_channel::requests)) return found;
        if (auto const found = find(channel, redis_channel::responses)) return found;
        std::string_view const own = channel.substr(0, channel.size() - std::min(channel.size(), uid_.size() + 1));
        if (channel.substr(own.size()) != uid_ + '#') return std::nullopt;
        return find(own, redis_channel::own_responses);
    }

    //=== what to do ===//

    // The next command. Nothing while the connection is lost.
    [[nodiscard]] std::optional<redis_words> poll() {
        if (!next_.empty()) return std::exchange(next_, {});
        while (!changed_.empty()) {
            auto const found = spaces_.find(changed_.front());
            if (found == spaces_.end()) {
                changed_.pop();
                continue;
            }
            space& s = found->second;
            bool const is_known = s.is_ended == !s.is_subscribed; // to Redis
            // What may fail comes first: the namespace is not forgotten then.
            auto commands = is_known ? std::pair<redis_words, redis_words>() : commands_for(found->first, !s.is_ended);
            changed_.pop();
            s.is_changed = false;
            s.is_subscribed = !s.is_ended;
            if (s.is_ended) spaces_.erase(found);
            if (is_known) continue;
            next_ = std::move(commands.second);
            return std::move(commands.first);
        }
        return std::nullopt;
    }

private:
    [[nodiscard]] static constexpr std::uint8_t bit_of(redis_channel channel) noexcept {
        return static_cast<std::uint8_t>(1u << static_cast<unsigned>(channel));
    }
    // The bits of all channels that there are.
    [[nodiscard]] std::uint8_t all() const noexcept {
        unsigned bits = 0;
        for (auto const channel : channels)
            if (!kind_of(channel).empty()) bits |= bit_of(channel);
        return static_cast<std::uint8_t>(bits);
    }
    static constexpr std::array channels{redis_channel::broadcasts, redis_channel::requests, redis_channel::responses,
                                         redis_channel::own_responses};
    [[nodiscard]] std::string_view kind_of(redis_channel channel) const noexcept {
        switch (channel) {
        case redis_channel::broadcasts: return layout_.broadcasts;
        case redis_channel::requests: return layout_.requests;
        case redis_channel::responses: return layout_.responses;
        default: return layout_.own_responses;
        }
    }

    struct space {
        bool is_declared = false;
        bool is_used = false;
        bool is_ended = false;      // nobody wants it any more
        bool is_subscribed = false; // Redis has been told
        bool is_changed = false;    // it is in `changed_`
        std::uint8_t confirmed = 0;
        time_point kept_until{};
    };
    // Sorted: names that peers choose cannot collide, and "/" comes first.
    using space_map = std::map<std::string, space, std::less<>>;

    [[nodiscard]] space* find_or_add(std::string_view nsp) {
        auto found = spaces_.find(nsp);
        if (found == spaces_.end()) {
            if (nsp != "/" && spaces_.size() >= max_namespaces_) return nullptr;
            found = spaces_.try_emplace(std::string(nsp)).first;
            note_change(found);
        } else if (found->second.is_ended) {
            found->second.is_ended = false;
            note_change(found);
        }
        return &found->second;
    }

    void end(space_map::iterator at) {
        at->second.is_ended = true;
        if (is_up_)
            note_change(at);
        else
            spaces_.erase(at);
    }

    void note_change(space_map::iterator at) {
        if (!is_up_ || at->second.is_changed) return;
        changed_.push(at->first);
        at->second.is_changed = true;
    }

    // The second one is empty if there is none.
    [[nodiscard]] std::pair<redis_words, redis_words> commands_for(std::string const& nsp, bool begins) const {
        redis_words names{begins ? "SUBSCRIBE" : "UNSUBSCRIBE"};
        names.push_back(channel_of(prefix_, layout_.requests, nsp));
        if (!layout_.responses.empty()) names.push_back(channel_of(prefix_, layout_.responses, nsp));
        names.push_back(channel_of(prefix_, layout_.own_responses, nsp, uid_));
        if (layout_.broadcasts.empty()) return {std::move(names), redis_words()};
        std::string pattern = escape_glob(channel_of(prefix_, layout_.broadcasts, nsp)) + '*';
        return {redis_words{begins ? "PSUBSCRIBE" : "PUNSUBSCRIBE", std::move(pattern)}, std::move(names)};
    }

    // The namespace of which this is the channel, if the node takes part in it.
    [[nodiscard]] std::optional<place> find(std::string_view channel, redis_channel which) const {
        std::string_view const kind = kind_of(which);
        if (kind.empty() || !channel.starts_with(prefix_) || !channel.ends_with('#')) return std::nullopt;
        channel.remove_prefix(prefix_.size());
        if (channel.size() <= kind.size() || !channel.starts_with(kind)) return std::nullopt;
        channel.remove_prefix(kind.size());
        channel.remove_suffix(1);
        auto const found = spaces_.find(channel);
        if (found == spaces_.end()) return std::nullopt;
        return place{found->first, which};
    }

    redis_layout layout_;
    std::string prefix_;
    std::size_t max_namespaces_;
    std::string uid_;
    bool is_up_ = false;
    space_map spaces_;
    core_detail::fifo<std::string> changed_; // names of namespaces of which Redis has to be told something
    redis_words next_;                       // the second command of a namespace
    time_point next_end_ = time_point::max();
};

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>
