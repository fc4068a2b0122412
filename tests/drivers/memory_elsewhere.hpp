// Sessions that are kept elsewhere: in memory, where several servers find them, as they would in Redis.
//
// What a server asks is noted, as readable lines, and answered when the test says so:
//
//     restore / pid 5-0       a client claims a session
//     persist / sid 1,b       and the rooms of the socket
//     emit / sid
#pragma once

#include "drivers/lines.hpp"

#include <socketless/cluster/detail/local_sockets.hpp>
#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/detail/payload.hpp>
#include <socketless/detail/recovery_elsewhere.hpp>
#include <socketless/detail/server_emitter.hpp>
#include <socketless/detail/shared_packet.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/encode.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

// What the servers share.
struct common_memory {
    struct entry {
        std::string nsp;
        std::string room; // empty: all
        std::string text;
        std::size_t arguments_begin = 0;
        std::vector<std::string> attachments;
    };

    [[nodiscard]] static std::string offset_of(std::size_t entry) { return std::to_string(entry + 1) + "-0"; }

    std::map<std::string, socketless::socketio::recoverable_session> sessions; // by pid
    std::vector<entry> entries;
};

// One server's access to it. The server outlives it.
class memory_elsewhere final : public socketless::detail::recovery_elsewhere {
public:
    using socket_handle = socketless::socketio::socket_handle;

    memory_elsewhere(socketless::server& io, common_memory& memory)
        : server_(&io), emitter_(&socketless::cluster::detail::local_sockets(io).emitter()), memory_(&memory) {
        emitter_->keep_elsewhere(this);
    }
    ~memory_elsewhere() override { emitter_->keep_elsewhere(nullptr); }

    struct claim {
        socket_handle socket;
        std::string nsp;
        std::string pid;
        std::string offset;
    };
    std::vector<claim> claims; // that have not been answered
    lines asked;
    bool is_down = false;       // it can restore nothing
    bool persist_fails = false; // by an exception

    // Emits to a room, or to all.
    template <class... Args>
    socketless::result<void> broadcast(std::string_view nsp, std::string_view room, std::string_view name,
                                       Args const&... args) {
        auto const written = socketless::json::detail::values_of(args...);
        socketless::json::detail::values const values(written);
        return add(nsp, room, name, values);
    }

    // Delivers what was added since the last call, by any server.
    void deliver() {
        for (; delivered_ != memory_->entries.size(); ++delivered_) {
            auto const& e = memory_->entries[delivered_];
            socketless::attachment_list attachments;
            for (auto const& a : e.attachments) attachments.push_back(socketless::as_bytes(std::string_view(a)));
            auto whom = server_->in(e.nsp);
            if (!e.room.empty()) whom.to(e.room);
            auto const offset = common_memory::offset_of(delivered_);
            emitter_->broadcast(whom, {e.text, e.arguments_begin, attachments, offset}).ignore();
        }
    }

    // Answers all claims; sessions that are found change first.
    void answer() {
        answer([](auto&) {});
    }
    template <class Change>
    void answer(Change change) {
        for (; !claims.empty(); claims.erase(claims.begin())) { // a claim stays if this throws
            claim const& c = claims.front();
            if (!emitter_->is_restoring(c.socket)) continue;
            auto found = take(c);
            if (found) change(*found);
            emitter_->end_restoring(c.socket, std::move(found));
        }
    }

    socketless::detail::server_emitter& emitter() noexcept { return *emitter_; }

    //=== for the server ===//

    [[nodiscard]] bool restore(socket_handle socket, std::string_view nsp, std::string_view pid,
                               std::string_view offset) override {
        if (is_down) return false;
        asked.push_back("restore " + std::string(nsp) + " " + std::string(offset));
        claims.push_back({socket, std::string(nsp), std::string(pid), std::string(offset)});
        return true;
    }
    void forget_session(std::string_view pid) override {
        asked.push_back("forget");
        memory_->sessions.erase(std::string(pid));
    }
    [[nodiscard]] std::string position() const override { return "0-0"; }
    void persist(socket_handle socket, std::string_view nsp, std::string_view pid, std::string_view) override {
        socketless::socketio::recoverable_session s{.pid = std::string(pid), .sid = std::string(server_->sid(socket))};
        std::string rooms;
        for (std::string_view const room : server_->rooms_of(socket)) {
            s.rooms.emplace_back(room);
            rooms += (rooms.empty() ? " " : ",") + std::string(room);
        }
        s.rooms.push_back(s.sid); // as Node has it
        if (auto const* const data = server_->data<std::string>(socket)) s.data = std::make_shared<std::string>(*data);
        asked.push_back("persist " + std::string(nsp) + rooms);
#if defined(__cpp_exceptions)
        if (persist_fails) throw 1;
#endif
        memory_->sessions[s.pid] = std::move(s);
    }
    socketless::result<void> emit(std::string_view nsp, std::string_view sid, std::string_view name,
                                  socketless::json::detail::values const& args) override {
        asked.push_back("emit " + std::string(nsp));
        return add(nsp, sid, name, args);
    }

private:
    socketless::result<void> add(std::string_view nsp, std::string_view room, std::string_view name,
                                 socketless::json::detail::values const& args) {
        socketless::cluster::detail::message m;
        m.nsp = nsp;
        auto const made = socketless::cluster::detail::make_packet(m, server_->options().sockets.limits,
                                                                   socketless::socketio::detail::array_of(name, args));
        if (!made) return made;
        auto& e = memory_->entries.emplace_back();
        e = {std::string(nsp), std::string(room), m.text, m.payload_begin, {}};
        for (auto const a : m.attachments) e.attachments.emplace_back(socketless::as_characters(a));
        return {};
    }

    std::unique_ptr<socketless::detail::restored_elsewhere> take(claim const& c) {
        auto const session = memory_->sessions.find(c.pid);
        if (session == memory_->sessions.end()) return nullptr;
        auto found = std::make_unique<socketless::detail::restored_elsewhere>();
        found->session = std::move(session->second);
        memory_->sessions.erase(session);
        auto const& rooms = found->session.rooms;
        bool is_missed = false;
        for (std::size_t i = 0; i != memory_->entries.size(); ++i) {
            auto const& e = memory_->entries[i];
            auto const offset = common_memory::offset_of(i);
            bool const is_for = e.room.empty() || std::find(rooms.begin(), rooms.end(), e.room) != rooms.end();
            if (is_missed && e.nsp == c.nsp && is_for) {
                auto& missed = found->missed.emplace_back();
                missed.text = e.text.substr(0, e.text.size() - 1) + ",\"" + offset + "\"]";
                for (auto const& a : e.attachments)
                    missed.attachments.emplace_back(socketless::frame{socketless::frame_kind::binary, a});
            }
            is_missed = is_missed || offset == c.offset;
        }
        return is_missed ? std::move(found) : nullptr;
    }

    socketless::server* server_;
    socketless::detail::server_emitter* emitter_;
    common_memory* memory_;
    std::size_t delivered_ = 0;
};

} // namespace support
