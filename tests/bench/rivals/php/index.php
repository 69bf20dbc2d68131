<?php
// The same application on PHP-FPM: one file without a framework, PDO with lasting connections.
declare(strict_types=1);

const COLUMNS = 'id, user_id, title, description, completed, priority, due_date, tags, created_at, updated_at';

function answer(int $status, mixed $content): never
{
    http_response_code($status);
    header('Content-Type: application/json');
    echo json_encode($content, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR);
    exit;
}

function refuse(int $status, string $why): never
{
    if ($status === 401) {
        header('WWW-Authenticate: Bearer error="invalid_token"');
    }
    answer($status, ['error' => $why]);
}

function base64url_decode(string $text): string|false
{
    return base64_decode(strtr($text, '-_', '+/'), true);
}

/** The claims of a good token; everything else ends the request. */
function claims(): array
{
    $origin = getenv('BETTER_AUTH_URL');
    if (!preg_match('/^Bearer (([\w-]+)\.([\w-]+))\.([\w-]+)$/i', $_SERVER['HTTP_AUTHORIZATION'] ?? '', $token)) {
        refuse(401, 'Invalid token');
    }
    [, $signed, $header, $payload, $signature] = $token;
    $header = json_decode((string) base64url_decode($header), true);
    $expected = hash_hmac('sha256', $signed, getenv('BETTER_AUTH_SECRET'), true);
    if (($header['alg'] ?? null) !== 'HS256' || !hash_equals($expected, (string) base64url_decode($signature))) {
        refuse(401, 'Invalid token');
    }
    $claims = json_decode((string) base64url_decode($payload), true);
    if (!is_int($claims['exp'] ?? null) || $claims['exp'] <= time() || ($claims['iss'] ?? null) !== $origin
        || !in_array($origin, (array) ($claims['aud'] ?? []), true) || !is_string($claims['sub'] ?? null)) {
        refuse(401, 'Invalid token');
    }
    return $claims;
}

function database(): PDO
{
    return new PDO(getenv('DATABASE_DSN'), getenv('DATABASE_USER'), getenv('DATABASE_PASSWORD'), [
        PDO::ATTR_PERSISTENT => true,
        PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
        PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_NUM,
        // Tuned: one round trip, with the values still apart from the statement.
        PDO::PGSQL_ATTR_DISABLE_PREPARES => (bool) getenv('ONE_ROUND_TRIP'),
    ]);
}

function query(string $sql, array $values): PDOStatement
{
    $statement = database()->prepare($sql);
    $statement->execute($values);
    return $statement;
}

function instant(?string $text): ?string
{
    return $text === null ? null : str_replace([' ', '+00'], ['T', 'Z'], $text);
}

/** An array of PostgreSQL in its text form. */
function strings(string $text): array
{
    preg_match_all('/"((?:[^"\\\\]|\\\\.)*)"|([^{},"]+)/s', $text, $found, PREG_SET_ORDER);
    return array_map(fn ($one) => $one[2] ?? preg_replace('/\\\\(.)/s', '$1', $one[1]), $found);
}

function task(array $row): array
{
    return [
        'id' => $row[0], 'user_id' => $row[1], 'title' => $row[2], 'description' => $row[3], 'completed' => $row[4],
        'priority' => $row[5], 'due_date' => instant($row[6]), 'tags' => strings($row[7]),
        'created_at' => instant($row[8]), 'updated_at' => instant($row[9]),
    ];
}

function answer_task(int $status, array|false $row): never
{
    $row ? answer($status, task($row)) : refuse(404, 'Task not found');
}

function create(string $user): never
{
    $body = json_decode(file_get_contents('php://input'), true);
    $title = is_array($body) && is_string($body['title'] ?? null) ? trim($body['title']) : '';
    $description = $body['description'] ?? null;
    $tags = $body['tags'] ?? [];
    $priority = $body['priority'] ?? 'medium';
    if ($title === '' || mb_strlen($title) > 255 || ($description !== null && (!is_string($description)
        || mb_strlen($description) > 1000)) || !in_array($priority, ['low', 'medium', 'high'], true)
        || !is_array($tags) || count($tags) > 20 || !is_bool($body['completed'] ?? false)) {
        refuse(422, 'Bad content');
    }
    foreach ($tags as $tag) {
        if (!is_string($tag) || $tag === '' || mb_strlen($tag) > 50) {
            refuse(422, 'Bad content');
        }
    }
    $quoted = array_map(fn ($tag) => '"' . addcslashes($tag, '"\\') . '"', $tags);
    answer_task(201, query(
        'INSERT INTO todo.task (user_id, id, title, description, completed, priority, due_date, tags)'
        . ' VALUES (?, gen_random_uuid(), ?, ?, ?, ?, ?, ?) RETURNING ' . COLUMNS,
        [$user, $title, $description, ($body['completed'] ?? false) ? 't' : 'f', $priority, $body['due_date'] ?? null,
            '{' . implode(',', $quoted) . '}'],
    )->fetch());
}

$path = explode('/', parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));
$method = $_SERVER['REQUEST_METHOD'];
$claims = claims();

if ($method === 'GET' && $path === ['', 'auth', 'me']) {
    answer(200, [
        'user' => ['id' => $claims['sub'], 'email' => $claims['email'] ?? null, 'name' => $claims['name'] ?? null],
        'expires_at' => gmdate('Y-m-d\TH:i:s\Z', $claims['exp']),
    ]);
}
if (count($path) < 4 || $path[1] !== 'api' || $path[3] !== 'tasks') {
    refuse(404, 'Not found');
}
[$user, $id] = [$path[2], $path[4] ?? null];
if ($user !== $claims['sub']) {
    refuse(403, 'Not your tasks');
}
if ($id !== null && !preg_match('/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i', $id)) {
    refuse(404, 'Not found');
}
match ([$method, count($path), $path[5] ?? null]) {
    ['GET', 4, null] => answer(200, array_map(task(...), query(
        'SELECT ' . COLUMNS . ' FROM todo.task WHERE user_id = ? ORDER BY created_at DESC, id DESC LIMIT ?',
        [$user, min(1000, max(1, (int) ($_GET['limit'] ?? 1000)))],
    )->fetchAll())),
    ['POST', 4, null] => create($user),
    ['GET', 5, null] => answer_task(200, query(
        'SELECT ' . COLUMNS . ' FROM todo.task WHERE user_id = ? AND id = ?',
        [$user, $id],
    )->fetch()),
    ['PATCH', 6, 'complete'] => answer_task(200, query(
        'UPDATE todo.task SET completed = NOT completed, updated_at = clock_timestamp()'
        . ' WHERE user_id = ? AND id = ? RETURNING ' . COLUMNS,
        [$user, $id],
    )->fetch()),
    default => refuse(404, 'Not found'),
};
