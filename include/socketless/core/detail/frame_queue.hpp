// Frames that wait to be sent: an owner's own together in one buffer, and shared ones, which are not copied.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/inlining.hpp>
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

// First in, first out. The buffer is reused: a queue that has found its size does not allocate. One that is not used
// takes no more than a pointer.
class frame_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return !all_ || all_->count == 0; }
    [[nodiscard]] std::size_t count() const noexcept { return all_ ? all_->count : 0; }
    // The bytes of all that is queued, shared frames included.
    [[nodiscard]] std::size_t size() const noexcept { return all_ ? all_->size : 0; }

    // Queues a frame that is put together from two parts. A call that throws, here and below, has queued nothing.
    void push(frame_kind kind, std::string_view head, std::string_view tail) {
        contents& c = prepare();
        std::size_t const begin = c.bytes.size();
        rollback undo([&]() noexcept { c.bytes.resize(begin); });
        c.bytes += head;
        c.bytes += tail;
        c.add(kind, begin);
        undo.commit();
    }

    void push(frame_kind kind, std::shared_ptr<std::string const> shared) {
        contents& c = prepare();
        std::size_t const size = shared->size();
        c.entries.emplace_back(std::move(shared), c.bytes.size(), size, kind);
        c.size += size;
        ++c.count;
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
        contents& c = prepare();
        std::size_t const begin = c.bytes.size();
        // If an attachment were missing, the peer would wait for it for ever.
        rollback undo([&, count = c.count]() noexcept {
            c.truncate(count);
            c.bytes.resize(begin);
        });
        rollback const tidy([&]() noexcept { // the list is for the next packet
            if (list.capacity() == 0) return;
            list.clear();
            core_detail::shrink(list);
        });
        if (before.text != none) c.bytes.push_back(before.text);
        std::size_t const begin_of_text = c.bytes.size();
        if (auto const encoded = encode(c.bytes, list); !encoded) return encoded.error();
        if (is_too_large(c.bytes.size() - begin_of_text, list, max_size)) return error{errc::message_too_large};
        c.add(frame_kind::text, begin);
        if (!list.empty()) c.add_all(list, before.attachment);
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
        return all_ && exceed(all_->size, all_->count, limit);
    }
    // The same for frames that are not queued yet.
    [[nodiscard]] static bool exceed(std::size_t size, std::size_t count, std::size_t limit) noexcept {
        constexpr std::size_t few = 1024;
        return size > limit || (count > few && count > limit / sizeof(entry));
    }

    // Precondition: not empty.
    [[nodiscard]] frame front() const noexcept {
        SOCKETLESS_ASSERT(!empty());
        owned_frame const first = front_with_owner();
        return {first.kind, first.data};
    }

    // A frame, and who owns its bytes, if they are shared: valid as long as they.
    struct owned_frame {
        frame_kind kind;
        std::string_view data;
        std::shared_ptr<std::string const> const* owner;
    };
    // Precondition: not empty.
    [[nodiscard]] owned_frame front_with_owner() const noexcept {
        SOCKETLESS_ASSERT(!empty());
        return all_->view(all_->entries[all_->head]);
    }

    // Takes the first frame off. Its bytes stay until the next one is queued.
    void pop() noexcept { static_cast<void>(take()); }
    // The same, and returns it.
    owned_frame take() noexcept {
        SOCKETLESS_ASSERT(!empty());
        contents& c = *all_;
        entry const& first = c.entries[c.head];
        ++c.head;
        --c.count;
        c.size -= first.size;
        return c.view(first);
    }

    // Whether any frame, from the first to the last, is binary.
    [[nodiscard]] bool has_binary() const noexcept {
        if (empty()) return false;
        for (std::size_t i = all_->head; i != all_->entries.size(); ++i)
            if (all_->entries[i].kind == frame_kind::binary) return true;
        return false;
    }

    // Forgets all that is queued and the memory for it.
    void clear() noexcept { all_.reset(); }

    // The memory, for another queue to use. Precondition: empty, and the bytes of the last frame are not used any more.
    class memory;
    [[nodiscard]] bool has_memory() const noexcept { return all_ != nullptr; }
    [[nodiscard]] memory release() noexcept;
    // Precondition: it has no memory.
    void adopt(memory m) noexcept;

    // Gives back memory that a burst has left behind.
    void shrink() noexcept {
        if (empty()) clear();
    }

private:
    struct entry {
        entry(std::shared_ptr<std::string const> owner, std::size_t first, std::size_t bytes, frame_kind k) noexcept
            : shared(std::move(owner)), begin(first), size(bytes), kind(k) {}
        entry(std::size_t first, std::size_t bytes, frame_kind k) noexcept : begin(first), size(bytes), kind(k) {}

        std::shared_ptr<std::string const> shared;
        std::size_t begin;
        std::size_t size;
        frame_kind kind;
    };

    struct contents {
        std::vector<entry> entries;
        std::string bytes;
        std::size_t head = 0;  // of the entries: those before it have been taken off
        std::size_t count = 0; // of the others
        std::size_t size = 0;  // of their frames

        // The bytes from `begin` on are a frame.
        void add(frame_kind kind, std::size_t begin) {
            std::size_t const size_of_frame = bytes.size() - begin;
            entries.emplace_back(begin, size_of_frame, kind);
            size += size_of_frame;
            ++count;
        }
        // The same for attachments, with a byte before each if there is one.
        SOCKETLESS_NEVER_INLINE void add_all(attachment_list const& list, char before) {
            for (byte_view const attachment : list) {
                std::size_t const begin = bytes.size();
                if (before != none) bytes.push_back(before);
                bytes += as_characters(attachment);
                add(frame_kind::binary, begin);
            }
        }

        [[nodiscard]] owned_frame view(entry const& e) const noexcept {
            if (e.shared) return {e.kind, {e.shared->data(), e.size}, &e.shared};
            return {e.kind, {bytes.data() + e.begin, e.size}, nullptr};
        }

        // Takes the last frames back, so that `left` are left.
        void truncate(std::size_t left) noexcept {
            for (; count > left; --count) {
                size -= entries.back().size;
                bytes.resize(entries.back().begin);
                entries.pop_back();
            }
        }

        // Drops the frames that have been taken off once they are half of the queue or all of it.
        void compact() noexcept {
            if (count == 0) {
                entries.clear();
                bytes.clear();
                head = 0;
            } else if (head >= count) {
                drop_taken();
            }
        }
        void drop_taken() noexcept {
            std::size_t const taken = entries[head].begin;
            bytes.erase(0, taken);
            entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(head));
            for (entry& e : entries) e.begin -= taken;
            head = 0;
        }
    };

    // The contents, for another frame.
    [[nodiscard]] contents& prepare() {
        if (!all_) all_ = std::make_unique<contents>();
        if (all_->head != 0) all_->compact();
        return *all_;
    }

    std::unique_ptr<contents> all_;
};

class frame_queue::memory {
public:
    memory() = default;

    // Whether it is little, so that it may lie idle.
    [[nodiscard]] bool is_little() const noexcept {
        constexpr std::size_t largest_idle_buffer = 4096;
        return all_ && all_->bytes.capacity() <= largest_idle_buffer &&
               all_->entries.capacity() <= largest_idle_buffer / sizeof(entry);
    }

private:
    friend class frame_queue;
    explicit memory(std::unique_ptr<contents> all) noexcept : all_(std::move(all)) {}

    std::unique_ptr<contents> all_;
};

inline frame_queue::memory frame_queue::release() noexcept {
    SOCKETLESS_ASSERT(empty());
    return memory(std::move(all_));
}
inline void frame_queue::adopt(memory m) noexcept {
    SOCKETLESS_ASSERT(!has_memory());
    all_ = std::move(m.all_);
}

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
