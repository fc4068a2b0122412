// Frames that wait to be sent: an owner's own together in one buffer, and shared ones, which are not copied.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/shrink.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// First in, first out. The buffer is reused: a queue that has found its size does not allocate.
class frame_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return head_ == entries_.size(); }
    // The bytes of all that is queued, shared frames included.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    // Queues a frame that is put together from two parts. A call that throws, here and below, has queued nothing.
    void push(frame_kind kind, std::string_view head, std::string_view tail) {
        compact();
        std::size_t const begin = bytes_.size();
        rollback undo([&]() noexcept { bytes_.resize(begin); });
        bytes_ += head;
        bytes_ += tail;
        add(kind, begin);
        undo.commit();
    }

    void push(frame_kind kind, std::shared_ptr<std::string const> shared) {
        compact();
        std::size_t const size = shared->size();
        entries_.push_back({kind, bytes_.size(), size, std::move(shared)});
        size_ += size;
    }

    // The byte, if any, that goes before each frame of a packet: before its text, and before an attachment.
    static constexpr char none = '\0';
    struct heads {
        char text = none;
        char attachment = none;
    };

    // Queues a packet: the text that `encode(std::string&, attachment_list&)` appends, then its attachments, of which
    // `list` is the memory. Queues nothing if that fails, or if the frames are larger together than `max_size`, without
    // their heads.
    template <class Encode>
    result<void> put(heads const& before, attachment_list& list, std::size_t max_size, Encode const& encode) {
        compact();
        std::size_t const begin = bytes_.size();
        // If an attachment were missing, the peer would wait for it for ever.
        rollback undo([this, begin, count = count()]() noexcept {
            truncate(count);
            bytes_.resize(begin);
        });
        rollback const tidy([&]() noexcept { // the list is for the next packet
            list.clear();
            core_detail::shrink(list);
        });
        if (before.text != none) bytes_.push_back(before.text);
        std::size_t const begin_of_text = bytes_.size();
        if (auto const encoded = encode(bytes_, list); !encoded) return encoded.error();
        if (is_too_large(bytes_.size() - begin_of_text, list, max_size)) return error{errc::message_too_large};
        add(frame_kind::text, begin);
        std::string_view const head(&before.attachment, before.attachment != none ? 1u : 0u);
        for (byte_view const attachment : list) push(frame_kind::binary, head, as_characters(attachment));
        undo.commit();
        return {};
    }

    // Whether a packet would never fit.
    [[nodiscard]] static bool is_too_large(std::size_t text, attachment_list const& attachments,
                                           std::size_t max_size) noexcept {
        std::size_t size = text;
        for (byte_view const a : attachments) size += a.size();
        return exceed(size, attachments.size() + 1, max_size);
    }

    // Whether more than `limit` bytes wait, or so many frames that their entries take more than that.
    [[nodiscard]] bool exceeds(std::size_t limit) const noexcept {
        return exceed(size_, entries_.size() - head_, limit);
    }
    // The same for frames that are not queued yet.
    [[nodiscard]] static bool exceed(std::size_t size, std::size_t count, std::size_t limit) noexcept {
        constexpr std::size_t few = 1024;
        return size > limit || (count > few && count > limit / sizeof(entry));
    }

    // Precondition: not empty.
    [[nodiscard]] frame front() const noexcept {
        SOCKETLESS_ASSERT(!empty());
        entry const& e = entries_[head_];
        return {e.kind, {e.shared ? e.shared->data() : bytes_.data() + e.begin, e.size}};
    }

    // The owner of the first frame's bytes, if they are shared. Precondition: not empty. Valid as long as the frame.
    [[nodiscard]] std::shared_ptr<std::string const> const* front_owner() const noexcept {
        SOCKETLESS_ASSERT(!empty());
        return entries_[head_].shared ? &entries_[head_].shared : nullptr;
    }

    // Takes the first frame off. Its bytes stay until the next one is queued.
    void pop() noexcept {
        SOCKETLESS_ASSERT(!empty());
        size_ -= entries_[head_].size;
        ++head_;
    }

    // Whether any frame, from the first to the last, is binary.
    [[nodiscard]] bool has_binary() const noexcept {
        for (std::size_t i = head_; i != entries_.size(); ++i)
            if (entries_[i].kind == frame_kind::binary) return true;
        return false;
    }

    // Forgets all that is queued and the memory for it.
    void clear() noexcept {
        std::vector<entry>().swap(entries_);
        std::string().swap(bytes_);
        head_ = 0;
        size_ = 0;
    }

    // Gives back memory that a burst has left behind.
    void shrink() noexcept {
        if (empty() && bytes_.capacity() + entries_.capacity() != 0) clear();
    }

private:
    // How many frames wait.
    [[nodiscard]] std::size_t count() const noexcept { return entries_.size() - head_; }
    // Takes the last frames back, so that `count` are left.
    void truncate(std::size_t count) noexcept {
        for (; this->count() > count; entries_.pop_back()) {
            size_ -= entries_.back().size;
            bytes_.resize(entries_.back().begin);
        }
    }

    struct entry {
        frame_kind kind;
        std::size_t begin;
        std::size_t size;
        std::shared_ptr<std::string const> shared;
    };

    // The bytes from `begin` on are a frame.
    void add(frame_kind kind, std::size_t begin) {
        std::size_t const size = bytes_.size() - begin;
        entries_.push_back({kind, begin, size, nullptr});
        size_ += size;
    }

    // Drops the frames that have been taken off, once they are half of the queue or all of it.
    void compact() noexcept {
        if (head_ == 0) return;
        if (!empty()) return drop_taken();
        entries_.clear();
        bytes_.clear();
        head_ = 0;
    }
    void drop_taken() noexcept {
        if (head_ < entries_.size() - head_) return;
        std::size_t const taken = entries_[head_].begin;
        bytes_.erase(0, taken);
        entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
        for (entry& e : entries_) e.begin -= taken;
        head_ = 0;
    }

    std::vector<entry> entries_;
    std::string bytes_;
    std::size_t head_ = 0;
    std::size_t size_ = 0;
};

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
