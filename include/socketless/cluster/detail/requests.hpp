// The requests of a node that wait for answers of others, each until its deadline.
#pragma once

#include <socketless/cluster/detail/message.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/time.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

[[nodiscard]] inline std::uint64_t number_from(random_source const& random) {
    std::array<std::byte, sizeof(std::uint64_t)> bytes{};
    random(bytes);
    std::uint64_t n = 0;
    std::memcpy(&n, bytes.data(), sizeof n);
    return n;
}

inline constexpr std::size_t id_length = 16;

// 16 hexadecimal digits, as the reference names nodes and requests.
[[nodiscard]] inline std::string to_hex(std::uint64_t n) {
    std::string text(id_length, '0');
    for (std::size_t i = id_length; i-- != 0; n /= 16) text[i] = "0123456789abcdef"[n % 16];
    return text;
}
[[nodiscard]] inline std::optional<std::uint64_t> from_hex(std::string_view text) noexcept {
    if (text.size() != id_length) return std::nullopt;
    std::uint64_t n = 0;
    for (char const c : text) {
        bool const is_digit = c >= '0' && c <= '9';
        if (!is_digit && (c < 'a' || c > 'f')) return std::nullopt;
        n = n * 16 + static_cast<std::uint64_t>(is_digit ? c - '0' : c - 'a' + 10);
    }
    return n;
}

[[nodiscard]] constexpr std::uint64_t saturating_sum(std::uint64_t a, std::uint64_t b) noexcept {
    return b > std::numeric_limits<std::uint64_t>::max() - a ? std::numeric_limits<std::uint64_t>::max() : a + b;
}

enum class request_kind : std::uint8_t { acks, replies, sockets, count };

// What waits. A bus that knows the other nodes says who they are, another one only how many, and that perhaps later.
struct request {
    // Another node that has to say something: how many acknowledgements will come, the sockets, a reply.
    struct respondent {
        std::string node;
        bool has_spoken = false;
        std::uint64_t left = 0; // acknowledgements
    };

    request_kind kind = request_kind::acks;
    time_point deadline{};
    std::string nsp{};
    bool is_done_here = true;           // this node's own sockets have answered
    std::optional<std::size_t> nodes{}; // how many others are to answer, once that is known
    std::size_t spoken = 0;             // how many have
    std::uint64_t left = 0;             // acknowledgements due from those
    bool is_by_name = false;
    std::vector<respondent> respondents{};
    std::size_t lost = 0; // respondents that went without a word
    std::uint64_t expected = 0;
    std::uint64_t answers = 0;

    [[nodiscard]] respondent* find(std::string_view node) noexcept {
        auto const found = std::ranges::find(respondents, node, &respondent::node);
        return found == respondents.end() ? nullptr : &*found;
    }

    // Whether a message of this type is an answer to it.
    [[nodiscard]] bool awaits(message_type type) const noexcept {
        switch (kind) {
        case request_kind::acks:
            return type == message_type::broadcast_client_count || type == message_type::broadcast_ack;
        case request_kind::replies: return type == message_type::server_side_emit_response;
        case request_kind::sockets: return type == message_type::fetch_sockets_response;
        case request_kind::count: break; // the bus knows
        }
        return false;
    }

    void add_expected(std::uint64_t count) noexcept { expected = saturating_sum(expected, count); }

    // A node says that so many acknowledgements will follow (`acks`), or all that it has to say. False if it has spoken
    // before, or is not one that has to.
    [[nodiscard]] bool note_spoken(std::string_view node, std::uint64_t acks) {
        constexpr std::uint64_t most = std::uint64_t{1} << 53u; // so that the sum of a thousand lies is one too
        acks = std::min(acks, most);
        if (is_by_name) {
            auto* const r = find(node);
            if (r == nullptr || r->has_spoken) return false;
            r->has_spoken = true;
            r->left = acks;
        } else if (nodes && spoken >= *nodes) {
            return false;
        }
        ++spoken;
        left = saturating_sum(left, acks);
        return true;
    }

    // An acknowledgement has come; false if none is due.
    [[nodiscard]] bool note_ack(std::string_view node) noexcept {
        if (left == 0) return false;
        if (is_by_name) {
            auto* const r = find(node);
            if (r == nullptr || r->left == 0) return false;
            --r->left;
        }
        --left;
        return true;
    }

    // The node is gone: nothing more comes from it.
    void note_left(std::string_view node) {
        auto* const r = find(node);
        if (r == nullptr) return;
        if (!r->has_spoken || r->left != 0) ++lost;
        left -= std::min(left, r->left);
        respondents.erase(respondents.begin() + (r - respondents.data()));
    }

    [[nodiscard]] bool is_complete() const noexcept {
        if (!is_done_here || !nodes || left != 0) return false;
        if (kind == request_kind::count) return true;
        if (is_by_name) return std::ranges::all_of(respondents, &respondent::has_spoken);
        return spoken >= *nodes;
    }
    [[nodiscard]] bool is_whole() const noexcept { return is_complete() && lost == 0; }
};

class requests {
public:
    // Ids on the wire count up from a random number, so that those of two nodes differ.
    explicit requests(std::uint64_t base) noexcept : base_(base) {}

    [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }

    // The number of a new request.
    [[nodiscard]] std::uint64_t add(request r) {
        std::uint64_t const number = ++last_;
        auto const at = deadlines_.emplace(r.deadline, number).first;
        core_detail::rollback undo([&]() noexcept { deadlines_.erase(at); });
        all_.emplace(number, std::move(r));
        undo.commit();
        return number;
    }
    void erase(std::uint64_t number) noexcept {
        auto const found = all_.find(number);
        if (found == all_.end()) return;
        deadlines_.erase({found->second.deadline, number});
        all_.erase(found);
    }

    [[nodiscard]] request* find(std::uint64_t number) noexcept {
        auto const found = all_.find(number);
        return found == all_.end() ? nullptr : &found->second;
    }

    [[nodiscard]] std::string wire_id(std::uint64_t number) const { return to_hex(base_ + number); }
    // The request that others know by this id; 0 if none waits.
    [[nodiscard]] std::uint64_t number_of(std::string_view wire_id) const noexcept {
        auto const id = from_hex(wire_id);
        return id && all_.contains(*id - base_) ? *id - base_ : 0;
    }

    [[nodiscard]] std::optional<time_point> next_deadline() const noexcept {
        return deadlines_.empty() ? std::nullopt : std::optional(deadlines_.begin()->first);
    }
    // A request whose time has run out; 0 if there is none.
    [[nodiscard]] std::uint64_t find_due(time_point now) const noexcept {
        return deadlines_.empty() || deadlines_.begin()->first > now ? 0 : deadlines_.begin()->second;
    }

    // Tells all that a node is gone; the numbers of those that are complete now.
    [[nodiscard]] std::vector<std::uint64_t> note_left(std::string_view node) {
        std::vector<std::uint64_t> complete;
        for (auto& [number, r] : all_) {
            r.note_left(node);
            if (r.is_complete()) complete.push_back(number);
        }
        std::ranges::sort(complete);
        return complete;
    }

private:
    std::uint64_t base_;
    std::uint64_t last_ = 0;
    std::unordered_map<std::uint64_t, request> all_;
    std::set<std::pair<time_point, std::uint64_t>> deadlines_;
};

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>
