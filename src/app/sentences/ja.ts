import type { Sentences } from '../../protocol/sentence.ts'

/** What the core says, in Japanese. */
export const ja: Sentences = {
  "'{0}' is no repository of the hub.": '「{0}」はハブのリポジトリではありません。',
  "'{0}' stands in the configuration file; change it there.":
    '「{0}」は設定ファイルに書かれています。そこで変更してください。',
  'A computation on the GPU went wrong.': 'GPU での計算に失敗しました。',
  'A container named {0} is there already.': '{0} という名前のコンテナがすでにあります。',
  'A context of {0} tokens is more than the model was made for ({1}).':
    '{0} トークンのコンテキストは、モデルの上限（{1}）を超えています。',
  'A context of {0} tokens is more than the model was made for.':
    '{0} トークンのコンテキストは、モデルの上限を超えています。',
  'A context of {0} tokens needs {1} GiB for its cache, and {2} GiB are left for it.':
    '{0} トークンのコンテキストにはキャッシュが {1} GiB 必要ですが、残りは {2} GiB です。',
  'A desktop without a name': '名前のないデスクトップ',
  'A file of the weights is cut off or damaged.': '重みのファイルが途中で切れているか、壊れています。',
  'A good all-rounder for a card of 24 GiB.': '24 GiB のカードに向く、万能なモデル。',
  'A panel shows icons.': 'パネルにアイコンが表示されます。',
  'A proxy or a mirror may change it; try again later, or set HF_ENDPOINT to another address.':
    'プロキシかミラーが内容を変えている可能性があります。後でもう一度試すか、HF_ENDPOINT を別のアドレスにしてください。',
  'A token in HF_TOKEN has higher limits.': 'HF_TOKEN にトークンを設定すると、上限が高くなります。',
  'Accept its licence on https://huggingface.co/{0}, and set HF_TOKEN to a token of that account.':
    'https://huggingface.co/{0} でライセンスに同意し、そのアカウントのトークンを HF_TOKEN に設定してください。',
  'Accept its licence, and set HF_TOKEN to a token of that account.':
    'ライセンスに同意し、そのアカウントのトークンを HF_TOKEN に設定してください。',
  'Accept its terms at {0}, or give Lexora a token that may read it: lexora hub token, or HF_TOKEN.':
    '{0} で利用条件に同意するか、読み取れるトークンを Lexora に設定してください: lexora hub token または HF_TOKEN',
  'Add the user to the group `docker`, and log in again.':
    'ユーザーをグループ `docker` に加えて、ログインし直してください。',
  'An environment variable of vLLM': 'vLLM の環境変数',
  'Another Lexora (pid {0}) is fetching {1}.': '別の Lexora（pid {0}）が {1} を取得しています。',
  'Another program gave memory of the GPU back while vLLM measured ({0} GiB free, then {1} GiB).':
    'vLLM の測定中に、別のプログラムが GPU メモリを解放しました（空き {0} GiB から {1} GiB に変化）。',
  'Another program listens on port {0}.': '別のプログラムがポート {0} を使っています。',
  "Another program listens on the engine's port.": '別のプログラムがエンジンのポートを使っています。',
  'Any free port is taken.': '空いているポートを使います。',
  'Ask again: it goes on with what was fetched.': 'もう一度実行すると、取得済みの分から続きます。',
  'Callers need one of the keys that Lexora minted.': '呼び出しには、Lexora が発行したキーが必要です。',
  'Callers of {0} need one of {1} keys.': '{0} への呼び出しには、{1} 個のキーのいずれかが必要です。',
  'Cancel some of them.': 'いくつかをキャンセルしてください。',
  'Check `executable`.': '`executable` を確認してください。',
  'Check its name, as in Qwen/Qwen3-8B.': '名前を確認してください（例: Qwen/Qwen3-8B）。',
  "Check the model's files against its page, and get them again.":
    'モデルのファイルを配布ページと照らし合わせ、取得し直してください。',
  "Check the model's files, and get that one again.": 'モデルのファイルを確認し、そのファイルを取得し直してください。',
  'Check the network, and ask again.': 'ネットワークを確認して、もう一度実行してください。',
  'Check the network, and ask again: it goes on with what was fetched.':
    'ネットワークを確認して、もう一度実行してください。取得済みの分から続きます。',
  'Check the network.': 'ネットワークを確認してください。',
  'Choose a smaller or stronger quantised model, or raise gpu-memory-utilization.':
    'より小さいモデルか、より強く量子化したモデルを選ぶか、gpu-memory-utilization を上げてください。',
  'Choose a smaller or stronger quantised model, or use more GPUs (tensor-parallel-size).':
    'より小さいモデルか、より強く量子化したモデルを選ぶか、GPU を増やしてください（tensor-parallel-size）。',
  'Choose a smaller or stronger quantised model, or {0} such GPUs (tensor-parallel-size).':
    'より小さいモデルか、より強く量子化したモデルを選ぶか、同じ GPU を {0} 枚使ってください（tensor-parallel-size）。',
  'Choose a smaller or stronger quantised model, set max-num-seqs lower, or close what else uses the GPU.':
    'より小さいモデルか、より強く量子化したモデルを選ぶか、max-num-seqs を下げるか、GPU を使っている他のものを閉じてください。',
  'Choose a smaller or stronger quantised model, use more GPUs (tensor-parallel-size), or close what else uses the GPU.':
    'より小さいモデルか、より強く量子化したモデルを選ぶか、GPU を増やすか（tensor-parallel-size）、GPU を使っている他のものを閉じてください。',
  'Choose a smaller or stronger quantised model.': 'より小さいモデルか、より強く量子化したモデルを選んでください。',
  'Choose an AWQ or GPTQ variant of the model.': 'モデルの AWQ 版か GPTQ 版を選んでください。',
  'Close it if an engine needs the memory.': 'エンジンにメモリが必要なら、それを閉じてください。',
  'Close other programs, or give the machine more memory or swap.':
    '他のプログラムを閉じるか、マシンのメモリかスワップを増やしてください。',
  'Close other programs, or raise the limits of this user (`ulimit -v`, `ulimit -u`).':
    '他のプログラムを閉じるか、このユーザーの上限を上げてください（`ulimit -v`、`ulimit -u`）。',
  'Close other programs, or raise the limits of this user.':
    '他のプログラムを閉じるか、このユーザーの上限を上げてください。',
  'Close what holds it (`lexora gpu --who`).': 'メモリを使っているものを閉じてください（`lexora gpu --who`）。',
  'Close what holds the rest (`lexora gpu --who`).':
    '残りのメモリを使っているものを閉じてください（`lexora gpu --who`）。',
  'Correct `image`, or pull it (`docker pull`).': '`image` を直すか、イメージを取得してください（`docker pull`）。',
  'Correct `model`, or get the file again.': '`model` を直すか、ファイルを取得し直してください。',
  'Correct `model`, or get the whole model again.': '`model` を直すか、モデル全体を取得し直してください。',
  'Correct chat-template, or remove it.': 'chat-template を直すか、外してください。',
  'Correct it in `env`.': '`env` で直してください。',
  'Correct it; nothing starts.': '直してください。直るまで何も起動しません。',
  'Correct {0} in `args`.': '`args` の {0} を直してください。',
  'Did you mean `{0}`? Else remove `args.{1}`.': '`{0}` のことでしょうか。違うなら `args.{1}` を外してください。',
  'Docker cannot reach the GPU.': 'Docker から GPU を使えません。',
  'Docker does not run.': 'Docker が動いていません。',
  'Download it again.': 'ダウンロードし直してください。',
  'Download the model again.': 'モデルをダウンロードし直してください。',
  'End it by hand; it may hang in a driver, and then only a reboot helps.':
    '手動で終了してください。ドライバーの中で止まっている場合は、再起動しか方法がありません。',
  'End that program, or set `port` to a free one.':
    'そのプログラムを終了するか、`port` を空いているポートにしてください。',
  'End that, or set another `port`.': 'それを終了するか、`port` を別の値にしてください。',
  'End that, or set another: --port {0}': 'それを終了するか、別のポートを指定してください: --port {0}',
  'For a card of 12 GiB.': '12 GiB のカード向け。',
  'For a card of 16 GiB.': '16 GiB のカード向け。',
  'For programming; fast, since few of its parameters work at a time.':
    'プログラミング向け。一度に使うパラメーターが少なく、高速。',
  'Free some space: models and compile caches are the largest.':
    '空きを作ってください。大きいのはモデルとコンパイルのキャッシュです。',
  'GPU {0}: {1}, its memory is not told.': 'GPU {0}: {1*}、メモリの量は不明です。',
  'GPU {0}: {1}, {2} of {3} GiB free.': 'GPU {0}: {1*}、空き {2} / {3} GiB。',
  'Get the file again.': 'ファイルを取得し直してください。',
  "Get the model's files again, or set tokenizer.": 'モデルのファイルを取得し直すか、tokenizer を設定してください。',
  "Get the model's files again.": 'モデルのファイルを取得し直してください。',
  'Give this user access to it.': 'このユーザーにアクセス権を与えてください。',
  'Give yourself the right to write there, or set HF_HOME to a folder of yours.':
    'そこへの書き込み権限を得るか、HF_HOME を自分のフォルダーにしてください。',
  'Go online once and get it (`lexora pull`), or remove HF_HUB_OFFLINE; if the name is wrong, correct `model`.':
    '一度オンラインにして取得するか（`lexora pull`）、HF_HUB_OFFLINE を外してください。名前が違う場合は `model` を直してください。',
  'How much room the disk of {0} has cannot be told.': '{0} のあるディスクの空き容量が分かりません。',
  "If it happens again: set enforce-eager, and look for Xid errors in the kernel's log.":
    'また起きる場合は enforce-eager を設定し、カーネルのログで Xid エラーを探してください。',
  'If you trust its author, set trust-remote-code.': '作者を信頼できるなら、trust-remote-code を設定してください。',
  'Inside Flatpak or Snap the desktop decides this.': 'Flatpak や Snap では、デスクトップがこれを決めます。',
  'Install Node 24.': 'Node 24 をインストールしてください。',
  'Install Python 3.12.': 'Python 3.12 をインストールしてください。',
  'Install WSL: `wsl --install`.': 'WSL をインストールしてください: `wsl --install`',
  'Install a build for this machine.': 'このマシン向けのビルドをインストールしてください。',
  'Install a newer build, or one for this compute capability (7.5 at least).':
    '新しいビルドか、この compute capability（7.5 以上）向けのビルドをインストールしてください。',
  'Install a newer one, or choose another model.': '新しいものをインストールするか、別のモデルを選んでください。',
  'Install a newer vLLM (with its transformers), or choose another model.':
    '新しい vLLM を（transformers とともに）インストールするか、別のモデルを選んでください。',
  'Install a newer vLLM, or choose another model.': '新しい vLLM をインストールするか、別のモデルを選んでください。',
  'Install it, or set `executable` or `venv` to where it is.':
    'インストールするか、`executable` か `venv` に場所を設定してください。',
  'Install it: `lexora engine install`. Or set `venv` to the folder of an environment that has it.':
    'インストールしてください: `lexora engine install`。または、vLLM のある環境のフォルダーを `venv` に設定してください。',
  'Install one.': 'どちらかをインストールしてください。',
  'Install the NVIDIA Container Toolkit, run `nvidia-ctk runtime configure`, and restart Docker.':
    'NVIDIA Container Toolkit をインストールし、`nvidia-ctk runtime configure` を実行して、Docker を再起動してください。',
  'Install the engine anew, into an environment of its own.': 'エンジンを専用の環境にインストールし直してください。',
  'Install the engine anew, or set `venv` to an environment that has it.':
    'エンジンをインストールし直すか、それを含む環境を `venv` に設定してください。',
  'Install uv (https://docs.astral.sh/uv/), for instance with `pipx install uv`, and make sure that it is on PATH.':
    'uv（https://docs.astral.sh/uv/）を、たとえば `pipx install uv` でインストールし、PATH に入れてください。',
  'Install vLLM {0}.': 'vLLM {0} をインストールしてください。',
  'It can start: port {0} and memory are free.': '起動できます。ポート {0} とメモリは空いています。',
  'It cannot be started ({0}).': '起動できません（{0}）。',
  'It cannot be written: {0} ({1}).': '書き込めません: {0}（{1}）。',
  'It could not be ended: {0}.': '終了できませんでした: {0}。',
  'It could not be started: {0}.': '起動できませんでした: {0}。',
  'It crashed in native code ({0}).': 'ネイティブコードで異常終了しました（{0}）。',
  'It crashed: {0}': '異常終了しました: {0*}',
  'It did not fall asleep: {0}.': 'スリープに入れませんでした: {0*}。',
  'It did not wake up: {0}.': 'スリープから復帰できませんでした: {0*}。',
  'It does not answer.': '応答しません。',
  'It does not exist, or is private or gated: accept its terms at {0}, and give Lexora a token that may read it: lexora hub token, or HF_TOKEN.':
    '存在しないか、非公開または制限付きです。{0} で利用条件に同意し、読み取れるトークンを Lexora に設定してください: lexora hub token または HF_TOKEN',
  'It does not run.': '動いていません。',
  'It does not serve {0}: {1}': '{0} を提供できません: {1*}',
  'It ended by itself, with exit code 0 and without a word.': '終了コード 0 で、何も言わずに終了しました。',
  'It ended by {0} before it was up, for a reason that Lexora does not know.':
    '起動が終わる前に {0} で終了しました。原因は Lexora には分かりません。',
  'It ended by {0}, for a reason that Lexora does not know.': '{0} で終了しました。原因は Lexora には分かりません。',
  'It ended with exit code {0} before it was up, for a reason that Lexora does not know.':
    '起動が終わる前に終了コード {0} で終了しました。原因は Lexora には分かりません。',
  'It ended with exit code {0}, for a reason that Lexora does not know.':
    '終了コード {0} で終了しました。原因は Lexora には分かりません。',
  'It ended.': '終了しました。',
  'It ended: {0}': '終了しました: {0}',
  'It failed before it was up, for a reason that Lexora does not know.':
    '起動が終わる前に失敗しました。原因は Lexora には分かりません。',
  'It failed, for a reason that Lexora does not know.': '失敗しました。原因は Lexora には分かりません。',
  'It fits with at most {0} tokens: --context {1}': '最大 {0} トークンなら収まります: --context {1}',
  'It has made no progress for {0} s, in the phase "{1}".': '段階「{1}」で、{0} 秒間進んでいません。',
  'It holds {0}.': 'あるのは {0} です。',
  'It hung: {0}.': '応答が止まりました: {0*}。',
  'It is draining.': '処理を終えようとしています。',
  'It is preflight.': '起動前の確認中です。',
  'It is sleeping.': 'スリープ中です。',
  'It is started by {0}, version {1}.': '{0*} で起動します。バージョンは {1}。',
  'It is started by {0}.': '{0*} で起動します。',
  'It is starting.': '起動中です。',
  'It is stopped.': '停止しています。',
  'It is stopping.': '停止処理中です。',
  'It is up, but {0}.': '起動しましたが、{0*}。',
  'It may not open so many files.': '開けるファイルの数の上限に達しました。',
  'It may not read or write {0}.': '{0} を読み書きする権限がありません。',
  'It met an instruction that this processor does not know (SIGILL).':
    'このプロセッサーにない命令に当たりました（SIGILL）。',
  'It needs about {0}, and {1} are free on the disk of {2}.':
    '約 {0} 必要ですが、{2} のあるディスクの空きは {1} です。',
  'It prints what cannot be read: {0}': '読み取れない出力です: {0}',
  'It runs at {0} (pid {1}).': '{0} で動いています（pid {1}）。',
  'It says that it is up, but nobody listens on port {0}: somebody took it while it loaded.':
    '起動したと言っていますが、ポート {0} で待ち受けていません。読み込み中に他のものがポートを取りました。',
  'It serves {0}, not {1}.': '提供しているのは {0*} で、{1*} ではありません。',
  'It serves, port {0}.': '提供中です。ポート {0}。',
  'It was cancelled.': 'キャンセルされました。',
  'It was killed from outside (SIGKILL): most likely the system ran out of memory.':
    '外部から強制終了されました（SIGKILL）。おそらくシステムのメモリ不足です。',
  'It was not told which model to serve.': '提供するモデルが指定されていません。',
  'It would fit if others gave their memory back: lexora gpu --who':
    '他のものがメモリを返せば収まります: lexora gpu --who',
  'Its engine core ended without telling why.': 'エンジンのコアが、理由を言わずに終了しました。',
  'Its options could not be checked against its help.': 'オプションをヘルプと照合できませんでした。',
  'Its parts are of different builds.': '部品のビルドがそろっていません。',
  'Its port {0} is held by {1}, which serves {2}.': 'ポート {0} は {1*} が使っています。提供しているモデル: {2*}。',
  'Its port {0} is held by {1}.': 'ポート {0} は {1*} が使っています。',
  'Its whole context of {0} tokens does not fit; the longest is {1}.':
    '{0} トークンのコンテキスト全体は収まりません。最長は {1} です。',
  'Let the hub in again (`lexora outbound`), and fetch it: `lexora pull`.':
    'ハブへの通信を許可し（`lexora outbound`）、取得してください: `lexora pull`',
  'Lexora has installed no vLLM itself.': 'Lexora がインストールした vLLM はありません。',
  'Lexora stood still for {0} s, {1} s ago: the machine is overloaded or was suspended':
    'Lexora が {1} 秒前に {0} 秒間止まりました。マシンが過負荷か、休止していました',
  'Lexora works without: everything the tray offers is in its window. GNOME shows icons by its AppIndicator extension.':
    'アイコンがなくても Lexora は動きます。トレイの操作はすべてウィンドウにあります。GNOME では AppIndicator 拡張でアイコンが表示されます。',
  'Loading took longer than the {0} s that vLLM waits.': 'vLLM が待つ {0} 秒以内に、読み込みが終わりませんでした。',
  'Make it executable: chmod +x {0}': '実行できるようにしてください: chmod +x {0}',
  'Make room (`lexora models rm`), and it goes on where it was; or set HF_HOME to another disk.':
    '空きを作ると（`lexora models rm`）、続きから進みます。または HF_HOME を別のディスクにしてください。',
  'Make room there, or set LEXORA_HOME to another disk.': '空きを作るか、LEXORA_HOME を別のディスクにしてください。',
  'Make room there.': '空きを作ってください。',
  'Make room there: engines do not start.': '空きを作ってください。このままではエンジンが起動しません。',
  'Make room, and ask again: it goes on with what was fetched.':
    '空きを作って、もう一度実行してください。取得済みの分から続きます。',
  'Make the file executable, or set `executable` to the right one.':
    'ファイルを実行可能にするか、`executable` に正しいファイルを設定してください。',
  'Models are not looked after here.': 'ここではモデルを管理していません。',
  "Move the model's and the cache's folder.": 'モデルとキャッシュのフォルダーを移してください。',
  'Name a version.': 'バージョンを指定してください。',
  'Name another version, or another `--package`.': '別のバージョンか、別の `--package` を指定してください。',
  'Name it as OWNER/NAME, as in Qwen/Qwen3-8B.': '所有者/名前 の形で指定してください（例: Qwen/Qwen3-8B）。',
  'No GPU tells its memory: it was compared with the free memory of this machine.':
    'メモリの量が分かる GPU がないため、このマシンの空きメモリと比べました。',
  'No `venv` is named.': '`venv` が指定されていません。',
  'No attention backend can do this combination of GPU, head size and types.':
    'この GPU、ヘッドサイズ、型の組み合わせに対応するアテンションバックエンドがありません。',
  'No container image is named.': 'コンテナイメージが指定されていません。',
  'No engine is configured. Name one below `engines:` in the configuration file.':
    'エンジンが設定されていません。設定ファイルの `engines:` に追加してください。',
  'No engine of an earlier Lexora is left.': '以前の Lexora のエンジンは残っていません。',
  'No file of {0} matches {1}.': '{0} に {1} と一致するファイルはありません。',
  'No key is needed, and only {0} serves.': 'キーは不要で、待ち受けるのは {0} だけです。',
  'No model is named.': 'モデルが指定されていません。',
  'No panel shows icons here.': 'ここのパネルはアイコンを表示しません。',
  'No program is named.': 'プログラムが指定されていません。',
  'No request of this id is in flight.': 'この ID の処理中のリクエストはありません。',
  'No request of this id was captured.': 'この ID のリクエストは記録されていません。',
  'Node {0} is too old.': 'Node {0} は古すぎます。',
  'Node {0}.': 'Node {0}。',
  'Nothing is fetched from {0}: it is blocked.': '{0} への通信がブロックされているため、何も取得しません。',
  'Nothing is fetched: Lexora works offline.': 'Lexora がオフラインで動いているため、何も取得しません。',
  'Nothing is known of the GPUs.': 'GPU については何も分かっていません。',
  'Nothing is served here.': 'ここでは何も提供していません。',
  'Nothing may be fetched: HF_HUB_OFFLINE is set.': 'HF_HUB_OFFLINE が設定されているため、何も取得できません。',
  'Nothing was changed since Lexora started.': 'Lexora の起動後、何も変更されていません。',
  'Of {0} there are {1}. Say which one.': '{0} には {1} があります。どれかを指定してください。',
  'On a CPU, say how much the cache may take: env.VLLM_CPU_KVCACHE_SPACE (GiB).':
    'CPU では、キャッシュに使う量を指定してください: env.VLLM_CPU_KVCACHE_SPACE（GiB）。',
  'Only the installed app can do this here.': 'ここでは、インストールしたアプリでのみ設定できます。',
  'Only {0} MiB are free on the disk of {1}.': '{1} のあるディスクの空きは {0} MiB しかありません。',
  "OpenAI's open model in MXFP4, with a long context on little memory.":
    'OpenAI のオープンモデル（MXFP4）。少ないメモリで長いコンテキスト。',
  'Others hold memory of the GPU: {0} of {1} GiB are free, and a share of {2} is asked for.':
    'GPU メモリを他のものが使っています。空きは {0} / {1} GiB で、要求は全体の {2} です。',
  'Others hold memory of the GPU: {0} of {1} GiB are free, and a share of {2} was asked for.':
    'GPU メモリを他のものが使っています。空きは {0} / {1} GiB で、要求は全体の {2} でした。',
  'Port {0} is free.': 'ポート {0} は空いています。',
  'Port {0} is held by {1}.': 'ポート {0} は {1*} が使っています。',
  'Puts search results into order.': '検索結果を並べ替えます。',
  'Raise gpu-memory-utilization, set kv-cache-dtype to fp8, or choose a stronger quantised model.':
    'gpu-memory-utilization を上げるか、kv-cache-dtype を fp8 にするか、より強く量子化したモデルを選んでください。',
  'Raise the limit of open files (`ulimit -n`).': '開けるファイル数の上限を上げてください（`ulimit -n`）。',
  'Remove `args.{0}`.': '`args.{0}` を外してください。',
  'Remove `quantization`: the model says it itself.': '`quantization` を外してください。モデル自身が指定しています。',
  'Remove enable-sleep-mode, and set `sleep` to off.': 'enable-sleep-mode を外し、`sleep` を off にしてください。',
  'Remove it (`docker rm -f {0}`).': '削除してください（`docker rm -f {0}`）。',
  'Remove kv-cache-dtype.': 'kv-cache-dtype を外してください。',
  'Remove kv-cache-memory-bytes, or raise it.': 'kv-cache-memory-bytes を外すか、上げてください。',
  'Remove max-model-len.': 'max-model-len を外してください。',
  'Remove them from `args`.': '`args` から外してください。',
  'Remove this file and download it again.': 'このファイルを削除して、ダウンロードし直してください。',
  'Remove {0} from `args`.': '`args` から {0} を外してください。',
  'Remove {0} from `env`.': '`env` から {0} を外してください。',
  'Remove {0}.': '{0} を削除してください。',
  'Restart the computer.': 'コンピューターを再起動してください。',
  'Restart the computer; if it happens again, check its power and cooling.':
    'コンピューターを再起動してください。また起きる場合は、電源と冷却を確認してください。',
  'Run `nvidia-smi`; check `gpus` and CUDA_VISIBLE_DEVICES, in a container `--gpus all`, in WSL the driver of Windows.':
    '`nvidia-smi` を実行し、`gpus` と CUDA_VISIBLE_DEVICES、コンテナなら `--gpus all`、WSL なら Windows のドライバーを確認してください。',
  'Run `wsl --install`, then install vLLM in it.':
    '`wsl --install` を実行してから、その中に vLLM をインストールしてください。',
  'Say which one: {0}': 'どれかを指定してください: {0}',
  'See its log.': 'ログを見てください。',
  'See who holds it (`lexora gpu --who`) and close that, or set gpu-memory-utilization to {0}.':
    '使っているもの（`lexora gpu --who`）を閉じるか、gpu-memory-utilization を {0} にしてください。',
  'See who holds it (`lexora gpu --who`) and close that.': '使っているもの（`lexora gpu --who`）を閉じてください。',
  'Set NCCL_P2P_DISABLE to 1 in `env`; in a container use `--ipc=host`.':
    '`env` で NCCL_P2P_DISABLE を 1 にしてください。コンテナでは `--ipc=host` を使ってください。',
  'Set TRITON_PTXAS_PATH to the ptxas of a newer CUDA.':
    'TRITON_PTXAS_PATH に、より新しい CUDA の ptxas を設定してください。',
  'Set VLLM_CPU_KVCACHE_SPACE to {0} in `env`.': '`env` で VLLM_CPU_KVCACHE_SPACE を {0} にしてください。',
  'Set VLLM_ENGINE_READY_TIMEOUT_S to {0} in `env`.': '`env` で VLLM_ENGINE_READY_TIMEOUT_S を {0} にしてください。',
  'Set VLLM_RPC_BASE_PATH to a short folder in `env`.': '`env` で VLLM_RPC_BASE_PATH を短いフォルダーにしてください。',
  'Set VLLM_WSL2_ENABLE_PIN_MEMORY to 1 in `env`, after `wsl --update`.':
    '`wsl --update` の後、`env` で VLLM_WSL2_ENABLE_PIN_MEMORY を 1 にしてください。',
  'Set `executable` to one that is.': '`executable` に合うものを設定してください。',
  'Set `executable` to the program.': '`executable` にプログラムを設定してください。',
  'Set `image`.': '`image` を設定してください。',
  'Set `model` to a GGUF file, or download it.': '`model` に GGUF ファイルを設定するか、ダウンロードしてください。',
  'Set `model` to a folder or a hub repository.': '`model` にフォルダーかハブのリポジトリを設定してください。',
  'Set `model` to a hub repository, a folder or a GGUF file.':
    '`model` にハブのリポジトリ、フォルダー、または GGUF ファイルを設定してください。',
  'Set `model` to the folder of a whole model.': '`model` に、ファイルのそろったモデルのフォルダーを設定してください。',
  'Set `model`.': '`model` を設定してください。',
  'Set `port` of the engine instead.': '代わりにエンジンの `port` を設定してください。',
  'Set `privacy.offline: false`, and fetch it: `lexora pull`.':
    '`privacy.offline: false` にして、取得してください: `lexora pull`',
  'Set `served_name` to one of these, or `model` to what you want.':
    '`served_name` をこれらのいずれかに、または `model` を目的のモデルにしてください。',
  'Set `sleep` to off.': '`sleep` を off にしてください。',
  'Set dtype to half or bfloat16, or another attention backend.':
    'dtype を half か bfloat16 に、または別のアテンションバックエンドにしてください。',
  'Set dtype to half.': 'dtype を half にしてください。',
  'Set gpu-memory-utilization to {0}, or close what else uses the GPU.':
    'gpu-memory-utilization を {0} にするか、GPU を使っている他のものを閉じてください。',
  'Set gpu-memory-utilization to {0}, or close what holds it.':
    'gpu-memory-utilization を {0} にするか、メモリを使っているものを閉じてください。',
  'Set gpu-memory-utilization to {0}, or max-num-seqs lower, or enforce-eager.':
    'gpu-memory-utilization を {0} にするか、max-num-seqs を下げるか、enforce-eager を設定してください。',
  'Set max-model-len to {0}.': 'max-model-len を {0} にしてください。',
  'Set max-num-seqs to {0}.': 'max-num-seqs を {0} にしてください。',
  'Set n-gpu-layers or ctx-size lower, or choose a stronger quantised model.':
    'n-gpu-layers か ctx-size を下げるか、より強く量子化したモデルを選んでください。',
  'Set privacy.offline: false.': 'privacy.offline: false にしてください。',
  'Set tensor-parallel-size so that no more than {0} are used.':
    '使う GPU が {0} 枚を超えないように tensor-parallel-size を設定してください。',
  'Set tensor-parallel-size to 1.': 'tensor-parallel-size を 1 にしてください。',
  'Set tensor-parallel-size to {0}.': 'tensor-parallel-size を {0} にしてください。',
  "Set tool-call-parser to that of the model's family, or remove enable-auto-tool-choice.":
    'tool-call-parser をモデルの系列に合わせるか、enable-auto-tool-choice を外してください。',
  'Set {0} to one of {1}.': '{0} を次のいずれかにしてください: {1}。',
  'Set {0} to {1} in `env`.': '`env` で {0*} を {1} にしてください。',
  'Set {0} to {1}, or to one of {2}.': '{0} を {1} か、次のいずれかにしてください: {2}。',
  'Somebody else ended it ({0}).': '他のものが終了させました（{0}）。',
  'Something that is no folder is in the way.': 'フォルダーでないものが、その場所にあります。',
  'Start Docker (or Docker Desktop).': 'Docker（または Docker Desktop）を起動してください。',
  'Start Lexora: it takes it over, or ends it where it is not configured any more.':
    'Lexora を起動してください。引き継ぐか、設定になければ終了します。',
  'Start again when the free memory no longer changes.': '空きメモリが変わらなくなってから、もう一度開始してください。',
  'Start it again, or set another `port`.': 'もう一度開始するか、`port` を別の値にしてください。',
  'Start it: lexora': '起動してください: lexora',
  'Strong, and tight on 24 GiB; comfortable on 32 GiB.': '高性能。24 GiB ではぎりぎり、32 GiB なら余裕があります。',
  'The GPUs are not watched here.': 'ここでは GPU を監視していません。',
  'The GPUs could not talk to each other (NCCL).': 'GPU 同士で通信できませんでした（NCCL）。',
  'The Python environment has no {0}.': 'Python 環境に {0} がありません。',
  "The adapter '{0}' could not be loaded: {1}": 'アダプター「{0}」を読み込めませんでした: {1*}',
  'The checks before its start failed: {0}.': '起動前の確認に失敗しました: {0}。',
  'The command line holds words that mean nothing to it: {0}.': 'コマンドラインに意味のない語があります: {0}。',
  'The compiler that came along does not know this GPU ({0}).':
    '付属のコンパイラーがこの GPU（{0}）に対応していません。',
  'The connection to the hub broke ({0}).': 'ハブとの接続が切れました（{0}）。',
  'The default configuration (there is no file)': '既定の設定（ファイルなし）',
  'The disk became full.': 'ディスクが満杯になりました。',
  'The disk is full ({0}).': 'ディスクが満杯です（{0}）。',
  'The disk is full.': 'ディスクが満杯です。',
  'The disk is full: {0} more are needed in {1}, where {2} are free and {3} of them stay so.':
    'ディスクが満杯です。{1} にあと {0} 必要ですが、空きは {2} で、うち {3} は残しておきます。',
  'The disk is full: {0}.': 'ディスクが満杯です: {0}。',
  'The disk is read-only: set HF_HOME to another one.':
    'ディスクが読み取り専用です。HF_HOME を別のディスクにしてください。',
  'The disk reports errors: check it.': 'ディスクがエラーを報告しています。ディスクを確認してください。',
  'The driver finds no GPU.': 'ドライバーが GPU を見つけられません。',
  'The driver of the GPU does not run.': 'GPU のドライバーが動いていません。',
  'The driver of the GPU is too old for this build (it knows CUDA {0}).':
    'GPU のドライバーがこのビルドには古すぎます（対応は CUDA {0} まで）。',
  'The driver of the GPU is too old for this build.': 'GPU のドライバーがこのビルドには古すぎます。',
  'The driver of the GPU was updated under the running system.':
    'システムの稼働中に GPU のドライバーが更新されました。',
  'The driver was updated under the running system: restart the computer.':
    'システムの稼働中にドライバーが更新されました。コンピューターを再起動してください。',
  "The engine '{0}' cannot start: its port {1} is held by {2}.":
    'エンジン「{0}」を起動できません。ポート {1} を {2*} が使っています。',
  "The engine '{0}' does not run: {1}": 'エンジン「{0}」は動いていません: {1*}',
  "The engine '{0}' is no longer configured.": 'エンジン「{0}」はもう設定にありません。',
  "The engine '{0}' is stopped. Start it: lexora start {1}":
    'エンジン「{0}」は停止しています。開始するには: lexora start {1}',
  "The engine '{0}' of an earlier Lexora lives (pid {1}).":
    '以前の Lexora のエンジン「{0}」が残っています（pid {1}）。',
  "The engine '{0}' of an earlier Lexora lives.": '以前の Lexora のエンジン「{0}」が残っています。',
  'The engine sees no GPU.': 'エンジンから GPU が見えません。',
  "The engine's program could not be started ({0}).": 'エンジンのプログラムを起動できませんでした（{0}）。',
  "The engine's program is not made for this machine.": 'エンジンのプログラムがこのマシン向けではありません。',
  "The engine's program may not be executed.": 'エンジンのプログラムに実行権限がありません。',
  "The engine's program was not found.": 'エンジンのプログラムが見つかりません。',
  'The environment was moved or its Python is gone: install it anew.':
    '環境が移動されたか、その Python がなくなりました。インストールし直してください。',
  'The file has changed since this text was read; nothing was written. Read it again and repeat the change.':
    '読み込んだ後でファイルが変わったため、何も書き込みませんでした。もう一度読み込んでから変更してください。',
  'The file system may not be written ({0}).': 'ファイルシステムに書き込めません（{0}）。',
  'The file system may not be written.': 'ファイルシステムに書き込めません。',
  'The files of {0} are whole, {1} GiB of weights.': '{0} のファイルはそろっています。重みは {1} GiB。',
  'The files of {0} are whole.': '{0} のファイルはそろっています。',
  'The files of {0} do not say what is needed to compute it.': '{0} のファイルには、計算に必要な情報がありません。',
  'The folder for its sockets has too long a name.': 'ソケット用フォルダーの名前が長すぎます。',
  'The folder of {0} is locked.': '{0} のフォルダーはロックされています。',
  'The hub answers too many requests from here with a refusal.':
    'ここからのリクエストが多すぎるため、ハブに断られました。',
  'The hub does not give out {0} without permission.': 'ハブは {0*} を許可なしには渡しません。',
  'The hub does not go on where {0} was cut off.': 'ハブが {0} の続きを送りません。',
  'The hub ended {0} early.': 'ハブが {0} の送信を途中で終えました。',
  'The hub sends more of {0} than it has listed.': 'ハブが {0} を一覧の大きさより多く送ってきました。',
  "The hub's answer is of no use: {0}.": 'ハブの応答が使えません: {0*}。',
  'The image is not there.': 'イメージがありません。',
  'The image {0} is not there.': 'イメージ {0} がありません。',
  'The installed version does not know the option `{0}`.':
    'インストール済みのバージョンにオプション `{0}` はありません。',
  'The memory of the GPU is too small for this ({0} MiB more were asked for).':
    'GPU メモリが足りません（さらに {0} MiB が要求されました）。',
  'The memory of the GPU is too small for this.': 'GPU メモリが足りません。',
  'The memory of the GPU ran out ({0} more were asked for).':
    'GPU メモリがなくなりました（さらに {0} が要求されました）。',
  'The memory of the GPU ran out while graphs were captured ({0} more were asked for).':
    'グラフの記録中に GPU メモリがなくなりました（さらに {0} が要求されました）。',
  'The memory of the GPU ran out while graphs were captured.': 'グラフの記録中に GPU メモリがなくなりました。',
  'The memory of the GPU ran out while it served ({0} more were asked for).':
    '提供中に GPU メモリがなくなりました（さらに {0} が要求されました）。',
  'The memory of the GPU ran out while it served.': '提供中に GPU メモリがなくなりました。',
  'The memory of the GPU ran out while it warmed up.': 'ウォームアップ中に GPU メモリがなくなりました。',
  'The memory of the GPU ran out.': 'GPU メモリがなくなりました。',
  'The model': 'モデル',
  'The model comes with a program of its own, which vLLM will not run unasked.':
    'モデルに独自のプログラムが付属しており、vLLM は許可なしには実行しません。',
  'The model is made for {0} tokens.': 'モデルの上限は {0} トークンです。',
  'The model is quantised as {0}, not as {1}.': 'モデルの量子化は {0} で、{1} ではありません。',
  'The model leaves no room for any context on this GPU.':
    'モデルが大きく、この GPU にはコンテキストを置く余地がありません。',
  "The model's file is cut off, or no GGUF file.": 'モデルのファイルが途中で切れているか、GGUF ではありません。',
  "The model's tokenizer is missing or damaged.": 'モデルのトークナイザーがないか、壊れています。',
  "The model's {0} attention heads cannot be shared by {1} GPUs.":
    'モデルの {0} 個のアテンションヘッドを {1} 枚の GPU に分けられません。',
  'The package index cannot be reached, or the connection broke.':
    'パッケージの索引に接続できないか、接続が切れました。',
  'The package index does not say which {0} is the newest.': 'パッケージの索引から、最新の {0} が分かりません。',
  'The program that guards it was ended from outside; the engine is ended as well.':
    '監視プログラムが外部から終了されたため、エンジンも終了しました。',
  'The same in 4 bits, for a card of 12 GiB.': '同じモデルの 4 ビット版。12 GiB のカード向け。',
  'The system could not start one more program ({0}).': 'これ以上プログラムを起動できませんでした（{0}）。',
  'The system gave it no more memory or threads.': 'システムがこれ以上メモリかスレッドを割り当てませんでした。',
  'The system has lost the GPU.': 'システムが GPU を見失いました。',
  'The system has lost the GPU: restart the computer.':
    'システムが GPU を見失いました。コンピューターを再起動してください。',
  'The token is set by {0}, which goes before any file.':
    'トークンは {0} に設定されており、どのファイルよりも優先されます。',
  'The weights do not fit into the memory of the GPU ({0} more were asked for).':
    '重みが GPU メモリに収まりません（さらに {0} が要求されました）。',
  'The weights do not fit into the memory of the GPU.': '重みが GPU メモリに収まりません。',
  'The weights do not fit the model ({0}).': '重みがモデルに合いません（{0}）。',
  'The weights do not fit the model.': '重みがモデルに合いません。',
  'The weights fit, and nothing is left for the cache.': '重みは収まりますが、キャッシュの分が残りません。',
  'The weights need {0} GiB of the GPU, and {1} of {2} GiB are free.':
    '重みには GPU メモリが {0} GiB 必要ですが、空きは {1} / {2} GiB です。',
  'The weights need {0} GiB of the GPU, which has {1} GiB.':
    '重みには GPU メモリが {0} GiB 必要ですが、GPU には {1} GiB しかありません。',
  'The window is switched off here: see ui.enabled.': 'ここではウィンドウが無効です。ui.enabled を見てください。',
  'There are no weights in {0}.': '{0} に重みがありません。',
  'There are several engines: {0}. Say which one.': 'エンジンが複数あります: {0}。どれかを指定してください。',
  'There are {0} users already.': 'ユーザーがすでに {0} 人います。',
  "There is a user '{0}' already.": 'ユーザー「{0}」はすでにあります。',
  'There is neither docker nor podman on PATH.': 'PATH に docker も podman もありません。',
  'There is no GPU {0}; there is {1}.': 'GPU {0} はありません。あるのは {1} です。',
  'There is no `uv` on this machine, which makes the environment.': '環境を作る `uv` が、このマシンにありません。',
  'There is no chat template at {0}.': '{0} にチャットテンプレートがありません。',
  "There is no engine '{0}'. Did you mean {1}?": 'エンジン「{0}」はありません。{1} のことでしょうか。',
  "There is no engine '{0}'. There is {1}.": 'エンジン「{0}」はありません。あるのは {1} です。',
  'There is no fitting Python, and none could be fetched.': '合う Python がなく、取得もできませんでした。',
  'There is no key of this id.': 'この ID のキーはありません。',
  "There is no model '{0}' on this machine. Did you mean {1}?":
    'このマシンにモデル「{0}」はありません。{1} のことでしょうか。',
  "There is no model '{0}' on this machine. Those that are here: lexora models":
    'このマシンにモデル「{0}」はありません。あるものの一覧: lexora models',
  'There is no model at {0}, or its config.json is missing.': '{0*} にモデルがないか、config.json がありません。',
  'There is no model at {0}.': '{0} にモデルがありません。',
  'There is no model folder {0}.': 'モデルのフォルダー {0} がありません。',
  'There is no nvidia-smi, amd-smi or rocm-smi on this machine.':
    'このマシンに nvidia-smi、amd-smi、rocm-smi のいずれもありません。',
  "There is no program '{0}' on PATH.": 'PATH にプログラム「{0}」がありません。',
  'There is no pull of this id.': 'この ID のダウンロードはありません。',
  'There is no session bus, so that no icon can be shown.': 'セッションバスがないため、アイコンを表示できません。',
  'There is no such version for this machine.': 'このマシン向けに、そのバージョンはありません。',
  "There is no user '{0}'.": 'ユーザー「{0}」はいません。',
  "There is no user '{0}'. Did you mean {1}?": 'ユーザー「{0}」はいません。{1} のことでしょうか。',
  'There is no wsl.exe on PATH.': 'PATH に wsl.exe がありません。',
  'There is no {0} at revision {1} on {2}.': '{2} に、リビジョン {1} の {0} はありません。',
  'There is no {0} on this machine.': 'このマシンに {0} がありません。',
  'There is no {0} on {1}.': '{1} に {0} はありません。',
  'There is no {0}.': '{0} がありません。',
  'There is nothing at {0}.': '{0} には何もありません。',
  'This GPU ({0}) does not know bfloat16.': 'この GPU（{0}）は bfloat16 に対応していません。',
  'This GPU does not know bfloat16.': 'この GPU は bfloat16 に対応していません。',
  'This Lexora is ended by the program that it is part of.': 'この Lexora は、それを含むプログラムから終了します。',
  'This Lexora keeps nothing on the disk.': 'この Lexora はディスクに何も保存しません。',
  'This Lexora was started without a configuration file.': 'この Lexora は設定ファイルなしで起動しました。',
  'This build has no code for this GPU.': 'このビルドはこの GPU に対応していません。',
  'This build of Lexora has no embedded engine.': 'この Lexora のビルドに組み込みエンジンはありません。',
  'This can only be done on the machine that Lexora runs on.': 'これは Lexora が動いているマシンでしか実行できません。',
  'This installation does not know models of type {0}.': 'このインストールは種類 {0} のモデルに対応していません。',
  'This key is none any more; mint another one.': 'このキーはもう使えません。新しいキーを発行してください。',
  'This key stands in the configuration file; change it there.':
    'このキーは設定ファイルに書かれています。そこで変更してください。',
  'This llama.cpp does not know the architecture {0}.': 'この llama.cpp はアーキテクチャ {0} に対応していません。',
  'This origin does not wait to be allowed.': 'このオリジンは許可を待っていません。',
  'This user has {0} keys already; revoke one.':
    'このユーザーにはすでにキーが {0} 個あります。どれかを失効させてください。',
  'This user may not read the figures of the GPU.': 'このユーザーには GPU の値を読む権限がありません。',
  'This user may not use Docker.': 'このユーザーには Docker を使う権限がありません。',
  'This vLLM does not know the architecture of the model.': 'この vLLM はモデルのアーキテクチャに対応していません。',
  'This vLLM does not know the architecture {0}.': 'この vLLM はアーキテクチャ {0} に対応していません。',
  'This vLLM does not know the environment variable {0}.': 'この vLLM に環境変数 {0} はありません。',
  'This vLLM does not know the quantization {0}.': 'この vLLM は量子化 {0} に対応していません。',
  'This vLLM has dropped the architecture of the model.':
    'この vLLM は、モデルのアーキテクチャへの対応を終えています。',
  'This version has no {0} named {1}.': 'このバージョンに {1} という {0} はありません。',
  'This version of the engine does not know {0}.': 'このバージョンのエンジンに {0} はありません。',
  'Tiny, to try things out. Thinks before it answers; switch that off with /no_think.':
    '試用向けの小さなモデル。答える前に考えます（/no_think で切れます）。',
  'To let it in: lexora outbound allow {0}': '許可するには: lexora outbound allow {0}',
  'Try again later.': '後でもう一度試してください。',
  'Unset it where this Lexora is started.': 'この Lexora を起動する環境で外してください。',
  'Update the driver, or install a build for an older CUDA.':
    'ドライバーを更新するか、古い CUDA 向けのビルドをインストールしてください。',
  'Use another `kind`.': '別の `kind` を使ってください。',
  'Users and keys cannot be written ({0}). Nothing was changed.':
    'ユーザーとキーを書き込めません（{0}）。何も変更されていません。',
  'Vectors for search, in many languages.': '検索用のベクトル。多くの言語に対応。',
  'WSL gives no pinned memory to vLLM.': 'WSL が vLLM にピン留めメモリを渡しません。',
  'WSL, or the distribution that was asked for, is not installed.':
    'WSL か、指定されたディストリビューションがインストールされていません。',
  'Wait for it, or cancel it there.': '終わるのを待つか、そちらでキャンセルしてください。',
  'Wait until that is over.': 'それが終わるまでお待ちください。',
  'Wait, or set HF_TOKEN.': 'しばらく待つか、HF_TOKEN を設定してください。',
  'What comes as {0} is not what the hub says it is: its hash is wrong, twice.':
    '届いた {0} はハブの情報と一致しません。ハッシュが 2 回とも違います。',
  'What was installed does not say that it is {0}: {1}': 'インストールしたものが {0} であると確認できません: {1*}',
  'What was used before is still used.': '以前のものを引き続き使います。',
  'Whether a panel shows icons cannot be told: {0}.': 'パネルにアイコンが表示されるか分かりません: {0}。',
  'While it loaded, {0} took its port {1}.': '読み込み中に、{0*} がポート {1} を取りました。',
  'With kv-cache-dtype fp8 {0} tokens fit.': 'kv-cache-dtype を fp8 にすると {0} トークンが収まります。',
  'Write it out in `args`.': '`args` に省略せずに書いてください。',
  '`{0}` is set by Lexora itself.': '`{0}` は Lexora 自身が設定します。',
  'a program': 'プログラム',
  'a request for a single token was not answered': '1 トークンだけのリクエストに応答がありません',
  'amd-smi: {0}': 'amd-smi: {0*}',
  'another program': '別のプログラム',
  any: '任意のモデル',
  'auth.mode is off and server.host is {0}: everybody who reaches this machine can use it':
    'auth.mode が off で server.host が {0} です。このマシンに届く人は誰でも使えます',
  'auth.mode is required and auth.api_keys is empty: only keys minted by Lexora are accepted':
    'auth.mode が required で auth.api_keys が空です。Lexora が発行したキーだけが使えます',
  'backend {0} is down ({1})': 'バックエンド {0} が停止しています（{1*}）',
  'backend {0} is failing: its breaker is {1}': 'バックエンド {0} が失敗しています。ブレーカー: {1}',
  'built in': '内蔵プログラム',
  config: '設定',
  desktop: 'デスクトップ',
  disk: 'ディスク',
  'enable-auto-tool-choice needs a tool-call-parser.': 'enable-auto-tool-choice には tool-call-parser が必要です。',
  'engine {0}': 'エンジン {0}',
  gpu: 'GPU',
  'gpu memory': 'GPU メモリ',
  'installed by Lexora, {0}': 'Lexora がインストールした {0}',
  it: 'その変数',
  'it has not answered for {0} s': '{0} 秒間応答がありません',
  "it lists '{0}' without a usable size or hash": '「{0}」に使える大きさかハッシュがありません',
  "it lists a file with the name '{0}'": '「{0}」という名前のファイルが一覧にあります',
  'it redirects to nowhere': '転送先のアドレスがありません',
  'it says itself that its engine is dead': 'エンジンが停止したと自ら報告しています',
  'it says nothing': '何も返しません',
  'it sent something that is no JSON': 'JSON でないものが送られてきました',
  'its first request failed with status {0}: {1}': '最初のリクエストがステータス {0} で失敗しました: {1}',
  'its first request was not answered ({0})': '最初のリクエストに応答がありませんでした（{0}）',
  keys: 'キー',
  'kv-cache-memory-bytes is too small for a single block of the cache.':
    'kv-cache-memory-bytes が小さすぎて、キャッシュの 1 ブロックも入りません。',
  lexora: 'Lexora',
  'minted keys were lost ({0}); {1}': '発行したキーが失われました（{0}）。{1*}',
  'no model': 'モデルなし',
  'no token for {0} s while {1} requests wait for one': '{1} 件のリクエストが待つ間、{0} 秒間トークンがありません',
  node: 'Node',
  nothing: '空の値',
  'nvidia-smi: {0}': 'nvidia-smi: {0*}',
  orphans: '残ったエンジン',
  port: 'ポート',
  'port: must be a whole number from 1 to 65535.': 'port: 1 から 65535 までの整数を指定してください。',
  'put them back with `lexora restore FILE`, or go on without them with `lexora keys forget-lost`':
    '`lexora restore ファイル` で戻すか、`lexora keys forget-lost` でそのまま続けてください',
  'request log cannot be written ({0})': 'リクエストログを書き込めません（{0}）',
  'rocm-smi: {0}': 'rocm-smi: {0*}',
  'server.host is {0} and no key is set; {1}': 'server.host が {0} ですが、キーが設定されていません。{1*}',
  serving: '提供',
  'some memory: {0} (pid {1})': '一部のメモリ: {0}（pid {1}）',
  'start with --host 127.0.0.1 to serve this machine only, list a key in auth.api_keys, or set auth.mode: off to serve everybody':
    'このマシンだけなら --host 127.0.0.1 で起動し、そうでなければ auth.api_keys にキーを入れるか、全員に開くなら auth.mode: off にしてください',
  'status {0}': 'ステータス {0}',
  'the file of users and keys': 'ユーザーとキーのファイル',
  'the history': '履歴',
  'the history cannot be written ({0})': '履歴を書き込めません（{0}）',
  'this model': 'このモデル',
  tray: 'トレイ',
  'users and keys can only be read ({0})': 'ユーザーとキーは読み取り専用です（{0}）',
  'users and keys cannot be read ({0}); mend or move that file and start Lexora again':
    'ユーザーとキーを読み取れません（{0}）。そのファイルを直すか移して、Lexora を起動し直してください',
  'users and keys cannot be written ({0})': 'ユーザーとキーを書き込めません（{0}）',
  'vLLM can sleep only on CUDA and ROCm under Linux.': 'vLLM のスリープは、Linux の CUDA と ROCm でのみ使えます。',
  'vLLM is not installed, as far as Lexora can see.': 'vLLM は、Lexora から見える範囲にはインストールされていません。',
  'vLLM needs one, unless it is built for the CPU.': 'CPU 版でない限り、vLLM には GPU が必要です。',
  'vLLM {0} is being installed.': 'vLLM {0} をインストールしています。',
  'vLLM {0} is not installed. Install it: {1}': 'vLLM {0} はインストールされていません。インストールするには: {1}',
  'vLLM {0} is not installed. There is {1}.': 'vLLM {0} はインストールされていません。あるのは {1} です。',
  '{0} (pid {1})': '{0*}（pid {1}）',
  '{0} (pid {1}) holds some of it.': '{0}（pid {1}）がその一部を使っています。',
  '{0} (pid {1}) holds {2} GiB of it.': '{0}（pid {1}）がそのうち {2} GiB を使っています。',
  '{0} GB are free on the disk of {1}.': '{1} のあるディスクの空きは {0} GB です。',
  '{0} GPUs were asked for, and there are {1}.': 'GPU {0} 枚が要求されましたが、あるのは {1} 枚です。',
  '{0} It said: {1}': '{0*} 出力: {1}',
  '{0} answers HTTP {1}.': '{0} が HTTP {1} を返しました。',
  '{0} asks to come later (HTTP 429).': '{0} が、後で試すよう求めています（HTTP 429）。',
  '{0} cannot be reached, or the connection broke ({1}).': '{0} に接続できないか、接続が切れました（{1}）。',
  '{0} cannot be removed ({1}).': '{0} を削除できません（{1}）。',
  '{0} cannot be written ({1}); nothing was changed.': '{0} に書き込めません（{1}）。何も変更されていません。',
  '{0} does not let your token read {1} (HTTP {2}).': '{0} は、このトークンでは {1} を読ませません（HTTP {2}）。',
  '{0} does not say enough to compute it before it is fetched.': '{0} の情報が足りず、取得する前には計算できません。',
  '{0} does not show {1} to everybody (HTTP {2}).': '{0} は {1} を一般には公開していません（HTTP {2}）。',
  '{0} does not take what it was given: {1}.': '{0} に渡した値は使えません: {1}。',
  '{0} ended with {1}: {2}': '{0} が {1} で終了しました: {2}',
  '{0} has a broken header.': '{0} のヘッダーが壊れています。',
  '{0} holds no config.json.': '{0} に config.json がありません。',
  '{0} holds no files.': '{0} にファイルがありません。',
  '{0} holds {1} GGUF variants: {2}.': '{0} には GGUF が {1} 種類あります: {2}。',
  '{0} is cut off, or is no safetensors file.': '{0} は途中で切れているか、safetensors ファイルではありません。',
  '{0} is cut off: {1} of {2} bytes are there.': '{0} は途中で切れています。{2} バイト中 {1} バイトしかありません。',
  '{0} is empty.': '{0} は空です。',
  '{0} is missing.': '{0} がありません。',
  '{0} is missing: its parts are of different builds.': '{0} がありません。部品のビルドがそろっていません。',
  '{0} is no GGUF file.': '{0} は GGUF ファイルではありません。',
  '{0} is not JSON.': '{0} は JSON ではありません。',
  '{0} is not a file.': '{0} はファイルではありません。',
  '{0} is not complete on this machine, and the hub cannot be reached.':
    '{0*} はこのマシンにそろっておらず、ハブにも接続できません。',
  '{0} is not valid JSON.': '{0} は正しい JSON ではありません。',
  '{0} is not whole on this machine, and Lexora works offline.':
    '{0} はこのマシンにそろっておらず、Lexora はオフラインで動いています。',
  '{0} is not whole on this machine, and its hub is blocked.':
    '{0} はこのマシンにそろっておらず、ハブへの通信がブロックされています。',
  '{0} is not whole on this machine: its first start fetches it.':
    '{0} はこのマシンにそろっていません。最初の起動時に取得します。',
  '{0} is set by {1}, which goes before the file.': '{0} は {1} で設定されており、ファイルより優先されます。',
  '{0} is valid.': '{0*} は正しい設定です。',
  '{0} lacks {1}, and {2} more.': '{0} に {1} など（ほか {2} 個）がありません。',
  '{0} lacks {1}.': '{0} に {1} がありません。',
  '{0} lies outside of the folders that Lexora removes from.': '{0} は、Lexora が削除できるフォルダーの外にあります。',
  '{0} may be one of several options.': '{0} は複数のオプションに当てはまります。',
  '{0} may not be executed.': '{0} に実行権限がありません。',
  '{0} needs a GPU of compute capability {1}, and this one has {2}.':
    '{0} には compute capability {1} の GPU が必要ですが、この GPU は {2} です。',
  '{0} of {1} GiB of memory are free, which is less than was asked for.':
    'メモリの空きは {0} / {1} GiB で、要求より少ないです。',
  '{0} pulls wait already.': 'すでに {0} 件のダウンロードが待っています。',
  '{0} redirects to {1}//{2}, which is not followed.': '{0} が {1}//{2} へ転送しますが、それには従いません。',
  '{0} requests for a single token were not answered': '1 トークンだけのリクエスト {0} 件に応答がありません',
  '{0} tokens need {1} GiB more.': '{0} トークンには、あと {1} GiB 必要です。',
  '{0} took longer than {1} minutes.': '{0} に {1} 分以上かかりました。',
  '{0} wants a number, and was given {1}.': '{0*} には数値が必要ですが、渡されたのは {1*} です。',
  '{0} was not found.': '{0} が見つかりません。',
  '{0} was unreadable and is kept as {1}': '{0*}は読み取れなかったため、{1} として保存しました',
  '{0}, driver {1}': '{0}、ドライバー {1}',
  '{0}, on Wayland.': '{0*}、Wayland を使用。',
  '{0}, on X11.': '{0*}、X11 を使用。',
  '{0}; nothing was changed.': '{0*}。何も変更されていません。',
}
