// The library beside Qt 6. Compiled with QT_NO_KEYWORDS, a program emits by the library and by Qt. With Qt's keywords
// the headers compile, and all works that is not called `emit`.
#include "memory.hpp"

#include <socketless/socketless.hpp>

#include <QtCore/QCoreApplication>
#include <QtCore/QObject>

namespace {

#ifndef QT_NO_KEYWORDS
class receiver : public QObject {
public slots:
    void take() { is_taken = true; }

public:
    bool is_taken = false;
};
#ifndef emit
#error "Qt's keywords are gone"
#endif
#endif

} // namespace

int main(int argc, char** argv) {
    using socketless::socketio::event_type;

    QCoreApplication const application(argc, argv);
    QObject named;
    QString name;
    QObject::connect(&named, &QObject::objectNameChanged, [&](QString const& n) { name = n; });

    consumer::memory network;
    auto const lobby = network.client.connect("/").value();
#ifdef QT_NO_KEYWORDS
    network.client.emit(lobby, "message", "hello").ignore();
#else
    receiver r;
    r.take();
    network.client.send(lobby, "hello").ignore();
#endif
    network.run(
        [&](socketless::socketio::event& e) {
            if (e.type != event_type::event) return;
            auto const text = e.get<std::string>().value_or("");
            named.setObjectName(QString::fromStdString(text));
        },
        [](socketless::socketio::event&) {});
    return name == QStringLiteral("hello") ? 0 : 1;
}
