// tests/examples/qt_client.cpp: the first client on Qt 6, with QNetworkAccessManager, QWebSocket and QTimer.
#include <socketless/client.hpp>
#include <socketless/core/system_random.hpp>

#include <QtCore/QCoreApplication>
#include <QtCore/QTimer>
#include <QtNetwork/QNetworkAccessManager>
#include <QtNetwork/QNetworkReply>
#include <QtWebSockets/QWebSocket>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <string>

using namespace socketless;
using engineio::transmit_type;
using socketio::event_type;
constexpr auto now = std::chrono::steady_clock::now;
constexpr auto copy = [](std::string_view v) { return QByteArray(v.data(), static_cast<qsizetype>(v.size())); };

struct program {
    QByteArray origin; // http://host:port
    std::string line;
    client io{{}, system_random(), now()};
    std::string buffer{};
    QTimer timer{};
    std::map<engineio::exchange_id, QNetworkReply*> exchanges{};
    std::map<engineio::channel_id, QWebSocket*> channels{};
    QNetworkAccessManager manager{};

    // Runs after each input, and after what the application does by itself.
    void drive() {
        for (;;) {
            while (auto e = io.poll_event()) handle(*e);
            auto const t = io.poll_transmit(buffer);
            if (!t) break;
            perform(*t);
        }
        auto const at = io.poll_timeout();
        if (!at) return timer.stop();
        timer.start(std::max(std::chrono::ceil<milliseconds>(*at - now()), milliseconds(0)));
    }

    void handle(socketio::event& e) {
        if (e.type == event_type::connected) {
            std::cout << "connected" << std::endl;
            io.emit_with_ack(e.socket, milliseconds(5'000), "say", line).ignore();
        } else if (e.type == event_type::ack) {
            std::cout << "answer: " << e.get<std::string>().value_or("none") << std::endl;
        } else if (e.type == event_type::event && e.name() == "said") {
            if (auto const args = e.get<std::string, std::string>())
                std::cout << std::get<0>(*args) << ": " << std::get<1>(*args) << std::endl;
        } else if (e.type == event_type::disconnected || e.type == event_type::open_failed) {
            std::cout << "disconnected: " << name(e.reason) << std::endl;
            QCoreApplication::quit(); // otherwise, if the network failed, it connects again
        }
    }

    void perform(engineio::transmit const& t) {
        if (t.type == transmit_type::get || t.type == transmit_type::post) request(t);
        if (t.type == transmit_type::open_websocket) open(t.id, t.target);
        if (t.type == transmit_type::send && channels.contains(t.id)) send(t.id, *channels[t.id], t.data);
        // Out of its map, it tells the client nothing of its end.
        if (t.type == transmit_type::close && channels.contains(t.id)) channels.extract(t.id).mapped()->close();
        if (t.type == transmit_type::abort && exchanges.contains(t.id)) exchanges.extract(t.id).mapped()->abort();
    }

    void send(engineio::channel_id id, QWebSocket& socket, frame message) {
        io.pause(id); // until it is written
        auto const bytes = copy(message.data);
        message.kind == frame_kind::text ? socket.sendTextMessage(bytes) : socket.sendBinaryMessage(bytes);
    }

    void request(engineio::transmit const& t) {
        QNetworkRequest r(QUrl::fromEncoded(origin + copy(t.target)));
        if (t.type == transmit_type::post) r.setHeader(QNetworkRequest::ContentTypeHeader, copy(name(t.content)));
        auto* const reply = t.type == transmit_type::get ? manager.get(r) : manager.post(r, copy(t.data.data));
        exchanges[t.id] = reply;
        QObject::connect(reply, &QNetworkReply::finished, [this, reply, id = t.id] {
            reply->deleteLater();
            if (exchanges.erase(id) == 0) return;
            int const status = reply->attribute(QNetworkRequest::HttpStatusCodeAttribute).toInt();
            bool const is_binary = reply->rawHeader("Content-Type") == copy(name(engineio::content_type::binary));
            QByteArray body = reply->readAll(); // lives until the loop has run
            status == 0 ? io.http_failed(id, now()) : io.http_response(id, status, is_binary, body, now());
            drive();
        });
    }

    void open(engineio::channel_id id, std::string_view target) {
        auto* const socket = channels[id] = new QWebSocket(QString(), QWebSocketProtocol::VersionLatest, &manager);
        auto const received = [this, id](frame_kind kind, QByteArray const& bytes) {
            io.websocket_received(id, {kind, {bytes.begin(), bytes.end()}}, now()), drive();
        };
        using S = QWebSocket;
        QObject::connect(socket, &S::connected, [this, id] { io.channel_opened(id, now()), drive(); });
        QObject::connect(socket, &S::textMessageReceived,
                         [=](auto& text) { received(frame_kind::text, text.toUtf8()); });
        QObject::connect(socket, &S::binaryMessageReceived, [=](auto& bytes) { received(frame_kind::binary, bytes); });
        QObject::connect(socket, &S::bytesWritten, [=, this] {
            if (socket->bytesToWrite() == 0) io.resume(id), drive();
        });
        QObject::connect(socket, &S::disconnected, [=, this] { // or it could not connect
            socket->deleteLater();
            if (channels.erase(id) != 0) io.channel_closed(id, now()), drive();
        });
        socket->open(QUrl::fromEncoded("ws" + origin.mid(4) + copy(target))); // http becomes ws, https wss
    }
};

int main(int argc, char** argv) {
    QCoreApplication const qt(argc, argv);
    program p{.origin = argc > 1 ? argv[1] : "http://localhost:3000", .line = argc > 2 ? argv[2] : "hello"};
    QObject::connect(&p.timer, &QTimer::timeout, [&p] { p.io.handle_timeout(now()), p.drive(); });
    p.io.connect("/", json::object("token", "abc")).ignore(); // "/" and this auth are good
    p.drive();
    return QCoreApplication::exec();
}
